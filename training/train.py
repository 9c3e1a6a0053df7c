"""From the texts to the shipped model.

    python train.py WORK ../models          # WORK: a folder for what is computed on the way

1. `prepare`: all texts with their tokens.
2. `fold K` for each fold and `fold whole`: the judge is fine-tuned without the fold's texts (labelled or our own), then
   the fast path learns from that judge; what both say of the fold is kept. Two at a time.
3. `finish` (finish.py): calibration, thresholds and figures from what was said of texts that the sayer had not seen; the
   files.
"""
import hashlib
import pathlib
import pickle
import subprocess
import sys

import numpy as np

import texts

FOLDS = 3
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
        "fold": np.array([int(hashlib.sha256(texts.bare(r["text"]).encode()).hexdigest(), 16) % FOLDS for r in rows]),
    }
    (work / "data.pkl").write_bytes(pickle.dumps(data))


def fold(work, which):
    import torch

    import fast
    import judge

    torch.set_num_threads(1)
    data = pickle.loads((work / "data.pkl").read_bytes())
    truth = data["truth"]
    held = truth["told"] & (data["fold"] == int(which)) if which != "whole" else np.zeros(len(data["ids"]), bool)

    def log(line):
        print(f"{which}: {line}", flush=True)

    model = judge.fit(data["ids"], truth, np.where(truth["told"] & ~held)[0], log)
    model.encoder.round()
    said = judge.apply(model, data["ids"])
    if which == "whole":
        torch.save(model, work / "judge.pt")
        np.savez(work / "judge-languages.npz", *judge.apply(model, data["held_ids"])[1:])
    log("judge: applied")
    quick = fast.fit(data["features"], truth, said, np.where(~held)[0], log)
    step = fast.round_(quick)
    if which == "whole":
        torch.save((quick, step), work / "fast.pt")
        np.savez(work / "fast-languages.npz", *fast.apply(quick, data["held_features"]))
    rows = np.where(held if which != "whole" else truth["told"])[0]
    quick_said = fast.apply(quick, [data["features"][i] for i in rows])
    np.savez(work / f"fold-{which}.npz", rows=rows, judge_subjects=said[1][rows], judge_leaves=said[2][rows],
             judge_stages=said[3][rows], fast_subjects=quick_said[0], fast_leaves=quick_said[1],
             fast_stages=quick_said[2])


def main(work, out):
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    prepare(work)
    waiting, running = [*map(str, range(FOLDS)), "whole"], []
    while waiting or running:
        while waiting and len(running) < 2:
            running.append(subprocess.Popen([sys.executable, __file__, "fold", str(work), waiting.pop(0)]))
        if running.pop(0).wait() != 0:
            sys.exit("a fold failed")
    import finish

    finish.finish(work, pathlib.Path(out))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fold", work, which]:
            fold(pathlib.Path(work), which)
        case ["prepare", work]:
            prepare(pathlib.Path(work))
        case [work, out]:
            main(work, out)
        case _:
            sys.exit(__doc__)
