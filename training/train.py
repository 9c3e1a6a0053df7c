"""From the texts to the shipped model.

    python train.py WORK ../models          # WORK: a folder for what is computed on the way; what is there is not done again

1. `prepare`: all texts with their tokens. One text in eight of what was labelled or written is held out: no step learns
   from it.
2. `teach`: the teacher is fine-tuned on the rest (English), and says what it makes of texts that nobody labelled.
3. `fit`: the wide judge learns from labels and teacher; the judge and the fast path learn from labels and wide judge.
4. `finish` (finish.py): calibration, thresholds and figures from the texts that were held out; the files.
"""
import hashlib
import os
import pathlib
import pickle
import sys

import numpy as np

import texts

HELD_OUT = 8
# Of the texts that nobody labelled, how many the teacher is asked about, by source.
ASKED = {"chats": 60000, "hard_negative_rest": 8000, "sensitive_pool_rest": 30000, "together": 15000}
STAGES = ["curious", "doing", "buying", "dislike"]


def prepare(work):
    import encoder
    import fast
    from normal import normal

    rows = texts.all_texts()
    held = texts.held_out_languages()
    cache_path = work / "tokens.pkl"
    cache = pickle.loads(cache_path.read_bytes()) if cache_path.exists() else {}
    for n, row in enumerate([*rows, *held]):
        text = row["text"]
        if text not in cache:
            cache[text] = (encoder.tokens(text), *fast.features(normal(text[:4000])))
        if n % 20000 == 0:
            print("prepare:", n, len(rows), flush=True)
    cache_path.write_bytes(pickle.dumps(cache))
    index = {id_: i for i, (id_, _, _) in enumerate(texts.leaves())}
    leaves = np.zeros((len(rows), len(index) + 1), np.float32)
    also = []
    for i, row in enumerate(rows):
        wanted = row["interests"]
        fair = []
        if wanted is not None:
            for entry in wanted:
                either = [index[leaf] for leaf in entry.split("|")]
                leaves[i, either] += 1 / len(either)
            if not wanted:
                leaves[i, -1] = 1
            leaves[i] /= leaves[i].sum()
            fair = [index[leaf] for entry in row.get("also", []) for leaf in entry.split("|")]
        also.append([leaf for leaf in fair if leaves[i, leaf] == 0])
    data = {
        "rows": rows, "held": held,
        "ids": [cache[r["text"]][0] for r in rows], "features": [cache[r["text"]][1:] for r in rows],
        "held_ids": [cache[r["text"]][0] for r in held], "held_features": [cache[r["text"]][1:] for r in held],
        "truth": {
            "subjects": np.array([[s in (r["subjects"] or ()) for s in texts.SUBJECTS] for r in rows], np.float32),
            "leaves": leaves, "also": also,
            "stages": np.array([STAGES.index(r["stage"]) if r.get("stage") else -1 for r in rows]),
            "told": np.array([r["source"] in ("labelled", "labelled_together", "authored") for r in rows]),
            "stage_count": len(STAGES),
        },
        "held_out": np.array([int(hashlib.sha256(texts.bare(r["text"]).encode()).hexdigest(), 16) % HELD_OUT == 0
                              for r in rows]),
    }
    (work / "data.pkl").write_bytes(pickle.dumps(data))


def say(line):
    print(line, flush=True)


def teach(work):
    import teacher

    data = pickle.loads((work / "data.pkl").read_bytes())
    rows, told = data["rows"], data["truth"]["told"]
    english = np.array([r["language"] == "en" for r in rows])
    source = np.array([r["source"] for r in rows])
    use = np.where(told & english & ~data["held_out"])[0]
    model = teacher.fit(teacher.tokens([rows[i]["text"] for i in use]), data["truth"]["subjects"][use], say)
    rng = np.random.default_rng(0)
    asked = np.concatenate([rng.permutation(np.where((source == s) & english)[0])[:n] for s, n in ASKED.items()])
    odds = teacher.apply(model, teacher.tokens([rows[i]["text"] for i in asked]))
    np.savez(work / "teacher.npz", rows=asked, odds=odds)


def fit(work):
    import torch

    import fast
    import judge
    import wide

    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    data = pickle.loads((work / "data.pkl").read_bytes())
    truth, told = data["truth"], data["truth"]["told"]
    english = np.array([row["language"] == "en" for row in data["rows"]])
    held_out = data["held_out"] & told
    if not (work / "wide.pt").exists():
        said = np.load(work / "teacher.npz")
        subjects = truth["subjects"].copy()
        subjects[said["rows"]] = 1 / (1 + np.exp(-said["odds"]))
        known = told.copy()
        known[said["rows"]] = True
        use = np.where(known & ~held_out)[0]
        torch.save(wide.fit(data["ids"], truth | {"subjects": subjects}, use, ~told, say), work / "wide.pt")
    teacher = torch.load(work / "wide.pt", weights_only=False)
    said = wide.apply(teacher, data["ids"])
    # Where the teacher was asked too, both together are right more often than either.
    asked = np.load(work / "teacher.npz")
    said[1][asked["rows"]] = (said[1][asked["rows"]] + asked["odds"]) / 2
    say("wide: applied")
    use = np.where(~held_out)[0]
    if not (work / "judge.pt").exists():
        model = judge.fit(teacher, data["ids"], truth, said, use, ~english, say)
        model.round()
        torch.save(model, work / "judge.pt")
    model = torch.load(work / "judge.pt", weights_only=False)
    quick = fast.fit(data["features"], truth, said, use, say)
    step = fast.round_(quick)
    torch.save((quick, step), work / "fast.pt")
    np.savez(work / "judge-languages.npz", *wide.apply(model, data["held_ids"])[1:])
    np.savez(work / "fast-languages.npz", *fast.apply(quick, data["held_features"]))
    rows = np.where(held_out)[0]
    judged = wide.apply(model, [data["ids"][i] for i in rows])
    quick_said = fast.apply(quick, [data["features"][i] for i in rows])
    np.savez(work / "held-out.npz", rows=rows, judge_subjects=judged[1], judge_leaves=judged[2], judge_stages=judged[3],
             fast_subjects=quick_said[0], fast_leaves=quick_said[1], fast_stages=quick_said[2])


def main(work, out):
    import finish

    work.mkdir(parents=True, exist_ok=True)
    for step, made in ((prepare, "data.pkl"), (teach, "teacher.npz"), (fit, "held-out.npz")):
        if not (work / made).exists():
            step(work)
    finish.finish(work, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(pathlib.Path, sys.argv[1:]))
