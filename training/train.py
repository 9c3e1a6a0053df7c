"""From the texts to the shipped model.

    python train.py WORK ../models          # WORK: a folder for what is computed on the way; what is there is not done again

1. `prepare`: all texts with their tokens. One text in eight of what was labelled or written is held out: no step learns
   from it.
2. `teach`: the teachers are fine-tuned on the rest (one on its English, one on all), and say what they make of texts that
   nobody labelled. They do not need each other: `python train.py WORK teach minilm` beside `... teach e5` halves the time.
3. `fit`: the judge learns from labels and teachers; the fast path learns from labels and judge.
4. `finish` (finish.py): calibration, thresholds and figures from the texts that were held out; the files.
"""
import functools
import hashlib
import os
import pathlib
import pickle
import sys

import numpy as np

import texts

HELD_OUT = 8
# Of the texts that nobody labelled, how many the teachers are asked about, by source.
ASKED = {"prompts": 25000, "chats": 40000, "together": 15000, "hard_negative_rest": 10000, "sensitive_pool_rest": 20000,
         "intent_rest": 6000, "inventory_rest": 4000}
TEACHERS = ("minilm", "e5")
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
            "told": np.array([r["source"] in ("labelled", "authored") for r in rows]),
            "stage_count": len(STAGES),
        },
        "held_out": np.array([int(hashlib.sha256(texts.bare(r["text"]).encode()).hexdigest(), 16) % HELD_OUT == 0
                              for r in rows]),
    }
    (work / "data.pkl").write_bytes(pickle.dumps(data))


def say(line):
    print(line, flush=True)


def threads():
    import torch

    torch.set_num_threads(int(os.environ.get("THREADS", "2")))


def teach(work, name):
    import teacher

    threads()
    data = pickle.loads((work / "data.pkl").read_bytes())
    rows, truth = data["rows"], data["truth"]
    for_it = np.array([name != "minilm" or r["language"] == "en" for r in rows])
    source = np.array([r["source"] for r in rows])
    told = truth["told"] & for_it
    use = np.where(told & ~data["held_out"])[0]
    model = teacher.fit(name, teacher.tokens(name, [rows[i]["text"] for i in use]), truth, use, say)
    rng = np.random.default_rng(0)
    asked = np.concatenate([rng.permutation(np.where(source == s)[0])[:n] for s, n in ASKED.items()]
                           + [np.where(truth["told"] & data["held_out"])[0]])
    asked = asked[for_it[asked]]
    odds = teacher.apply(model, teacher.tokens(name, [rows[i]["text"] for i in asked]), say)
    np.savez(work / f"{name}.npz", *odds, rows=asked)


def opinions(work, truth, held):
    """The labels, and where nobody labelled what the teachers say together; and which rows somebody spoke of."""
    n, leaves = truth["leaves"].shape
    subjects, leaf_odds, count = np.zeros((n, 7), np.float32), np.zeros((n, leaves), np.float32), np.zeros(n, np.float32)
    for name in TEACHERS:
        said = np.load(work / f"{name}.npz")
        subjects[said["rows"]] += said["arr_0"]
        leaf_odds[said["rows"]] += said["arr_1"]
        count[said["rows"]] += 1
    asked = np.where((count > 0) & ~held)[0]
    leaf_odds = leaf_odds[asked] / count[asked, None]
    share = np.exp(leaf_odds - leaf_odds.max(1, keepdims=True))
    soft = {"subjects": truth["subjects"].copy(), "leaves": truth["leaves"].copy()}
    soft["subjects"][asked] = 1 / (1 + np.exp(-subjects[asked] / count[asked, None]))
    soft["leaves"][asked] = share / share.sum(1, keepdims=True)
    known = truth["told"].copy()
    known[asked] = True
    return truth | soft, known


def fit(work):
    import torch

    import fast
    import judge

    threads()
    data = pickle.loads((work / "data.pkl").read_bytes())
    truth, told = data["truth"], data["truth"]["told"]
    held = data["held_out"] & told
    soft, known = opinions(work, truth, held)
    use = np.where(known & ~held)[0]
    if not (work / "judge.pt").exists():
        model = judge.fit(data["ids"], soft, use, ~told, say)
        model.encoder.round()
        torch.save(model, work / "judge.pt")
    model = torch.load(work / "judge.pt", weights_only=False)
    np.savez(work / "judge-languages.npz", *judge.apply(model, data["held_ids"])[1:])
    # Of the short commands, titles and small talk, a part is enough.
    chosen = known | (np.random.default_rng(4).random(len(told)) < 0.5)
    rows = np.where(chosen)[0]
    said = [np.zeros((len(told), *part.shape[1:]), part.dtype) for part in judge.apply(model, data["ids"][:1])]
    for whole, part in zip(said, judge.apply(model, [data["ids"][i] for i in rows])):
        whole[rows] = part
    say("judge: applied")
    quick = fast.fit(data["features"], truth, said, np.where(chosen & ~held)[0], say)
    step = fast.round_(quick)
    torch.save((quick, step), work / "fast.pt")
    np.savez(work / "fast-languages.npz", *fast.apply(quick, data["held_features"]))
    rows = np.where(held)[0]
    quick_said = fast.apply(quick, [data["features"][i] for i in rows])
    np.savez(work / "held-out.npz", rows=rows, judge_subjects=said[1][rows], judge_leaves=said[2][rows],
             judge_stages=said[3][rows], fast_subjects=quick_said[0], fast_leaves=quick_said[1],
             fast_stages=quick_said[2])


def main(work, out):
    import finish

    work.mkdir(parents=True, exist_ok=True)
    steps = [(prepare, "data.pkl"), *((functools.partial(teach, name=n), f"{n}.npz") for n in TEACHERS), (fit, "held-out.npz")]
    for step, made in steps:
        if not (work / made).exists():
            step(work)
    finish.finish(work, out)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[2] == "teach":
        teach(pathlib.Path(sys.argv[1]), sys.argv[3])
    elif len(sys.argv) == 3:
        main(*map(pathlib.Path, sys.argv[1:]))
    else:
        sys.exit(__doc__)
