"""Writes what the reference tokeniser gives for texts of all kinds: ../crates/reader/tests/wordpiece.jsonl"""
import json
import pathlib
import random

import fast

TEXTS = [
    "any good hikes near Boulder for a weekend?", "", "   ", "don't stop", "O'Brien's co-op", "café naïve Zürich", "ÅNGSTRÖM Ñandú",
    "ﬁne ligature ½ ² ™", "日本語のテキスト", "混合 mixed 文字", "한국어 텍스트", "Привет, как дела?", "مرحبا بالعالم", "नमस्ते दुनिया",
    "emoji 😀👍🏽 here", "a" * 120, "supercalifragilisticexpialidocious", "1,234.56 €", "C++ & C# <b>bold</b>", "tab\tnew\nline\r\nend",
    "zero\u200bwidth\u00adsoft\ufeff", "control\x07bell", "İstanbul ıI", "ß straße", "Ǆ ǆ", "e\u0301 composed é", "…dots—dash–en", "“quotes” ‘single’",
    "http://example.com/a?b=c#d", "user@example.com", "#hashtag @name", "x_y-z", "ⅷ roman", "ﷺ", "𝒇𝒂𝒏𝒄𝒚", "ไทยภาษา", "Việt Nam đẹp", "ёлка",
    "［full width］ＡＢＣ", "\u2028separator", "UPPER lower MiXeD", "knee-pain", "5'4\"", "%%% $$$ ^^^", "\ufffdreplacement",
]
rng = random.Random(3)
vocabulary = [w for w in fast.TOKENIZER.get_vocab() if w.isalpha()]
vocabulary.sort()
for n in range(150):
    words = [rng.choice(vocabulary) for _ in range(rng.randint(1, 12))]
    TEXTS.append("".join(rng.choice([w, w.upper(), w.title(), w + "s", w[::-1]]) + rng.choice([" ", ", ", "-", "'", " "]) for w in words))
out = pathlib.Path(__file__).parent.parent / "crates" / "reader" / "tests" / "wordpiece.jsonl"
with open(out, "w", encoding="utf-8") as lines:
    for text in TEXTS:
        ids = fast.TOKENIZER.encode(text, add_special_tokens=False).ids
        lines.write(json.dumps({"text": text, "ids": ids}) + "\n")
