"""What a text looks like to the model: `crates/reader/src/normal.rs` in Python, character for character.

Hidden characters are taken out, disguises undone (l e t t e r s apart, digits inside words, letters of another
alphabet that look alike), and what the encoder's vocabulary has no pieces for is written in Latin letters:
Devanagari, and Vietnamese without its marks.
"""
import unicodedata

HIDDEN = set("\u00ad\u034f\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff")
LOOK_ALIKE = dict(zip("асеіорхуѕјАВСЕНІКМОРТХУοαενΑΒΕΗΙΚΜΝΟΡΤΧΥ", "aceiopxysjABCEHIKMOPTXYoaevABEHIKMNOPTXY"))
DIGITS = dict(zip("013457", "oieast"))

CONSONANTS = dict(zip(
    "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहळ",
    "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h l".split()))
WITH_DOT = {"क": "q", "ख": "kh", "ग": "g", "ज": "z", "ड": "r", "ढ": "rh", "फ": "f"}
VOWELS = dict(zip("अआइईउऊऋऍएऐऑओऔ", "a aa i i u u ri e e ai o o au".split()))
SIGNS = dict(zip("ािीुूृॅेैॉोौ", "aa i i u u ri e e ai o o au".split()))
AFTER = {"ं": "n", "ँ": "n", "ः": "h"}
VIRAMA, DOT = "्", "़"


def is_devanagari(c):
    return "\u0900" <= c <= "\u0963" or "\u0970" <= c <= "\u097f"


def is_vietnamese(c):
    return "\u1ea0" <= c <= "\u1ef9" or c in "ăĂđĐơƠưƯ"


def latin(c):
    return "a" <= c <= "z" or "A" <= c <= "Z"


def devanagari_word(word):
    """One run of Devanagari in Latin letters, as people type it."""
    # [before the vowel, vowel or None, is the vowel the one that is not written, after it]
    syllables = []
    for c in unicodedata.normalize("NFD", word):
        if c in CONSONANTS:
            syllables.append([CONSONANTS[c], "a", True, "", c])
        elif c == DOT and syllables and syllables[-1][4] in WITH_DOT:
            syllables[-1][0] = WITH_DOT[syllables[-1][4]]
        elif c == VIRAMA and syllables:
            syllables[-1][1:3] = [None, False]
        elif c in SIGNS and syllables:
            syllables[-1][1:3] = [SIGNS[c], False]
        elif c in VOWELS:
            syllables.append(["", VOWELS[c], False, "", ""])
        elif c in AFTER and syllables:
            syllables[-1][3] = AFTER[c]
        elif c == "ॐ":
            syllables.append(["", "o", False, "m", ""])
    # The unwritten vowel is not said at the end, nor between a syllable with a vowel and another.
    last = len(syllables) - 1
    for i in range(last, 0, -1):
        if syllables[i][2] and not syllables[i][3]:
            if i == last or (syllables[i + 1][1] and syllables[i - 1][1] and syllables[i + 1][0]):
                syllables[i][1] = None
    out = "".join(a + (v or "") + after for a, v, _, after, _ in syllables)
    # A long a at the end is typed short.
    return out[:-1] if out.endswith("aa") else out


def romanised(text):
    if any(map(is_vietnamese, text)):
        text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
        text = text.replace("đ", "d").replace("Đ", "D")
    if any(map(is_devanagari, text)):
        text = text.replace("।", ".").replace("॥", ".")
        out, run = [], ""
        for c in text + " ":
            if is_devanagari(c):
                run += c
                continue
            if run:
                out.append(devanagari_word(run))
                run = ""
            out.append(c)
        text = "".join(out[:-1])
    return text


def undisguised_word(word):
    letters = [c for c in word if latin(c)]
    if letters and any(c in LOOK_ALIKE for c in word):
        word = "".join(LOOK_ALIKE.get(c, c) for c in word)
    if any(c in DIGITS or c in "@$!" for c in word[1:-1]) and sum(map(latin, word)) >= 2:
        marks = {**DIGITS, "@": "a", "$": "s", "!": "i"}
        chars = list(word)
        # A run of at most two marks between letters is a disguise ("d3pr3ss3d"); "b2b.com" and "h264" are not.
        i = 1
        while i < len(chars):
            if chars[i] in marks and latin(chars[i - 1]):
                end = i
                while end < len(chars) and chars[end] in marks:
                    end += 1
                if end < len(chars) and latin(chars[end]) and end - i <= 2 and len(chars) >= 4:
                    for k in range(i, end):
                        chars[k] = marks[chars[k]]
                i = end
            i += 1
        word = "".join(chars)
    return word


def normal(text):
    if any(c in HIDDEN for c in text):
        text = "".join(c for c in text if c not in HIDDEN)
    words, apart = [], []

    def close():
        # Three letters or more, each by itself, are a word that was pulled apart.
        if len(apart) >= 3:
            words.append("".join(apart))
        else:
            words.extend(apart)
        apart.clear()

    for word in text.split(" "):
        if len(word) == 1 and word.isalpha() and word.isascii():
            apart.append(word)
            continue
        close()
        words.append(undisguised_word(word))
    close()
    return romanised(" ".join(words))
