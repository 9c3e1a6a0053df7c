//! What a text looks like to the model. Hidden characters are taken out, disguises undone (l e t t
//! e r s apart, digits inside words, letters of another alphabet that look alike), and what the
//! encoder's vocabulary has no pieces for is written in Latin letters: Devanagari as people type
//! it, and Vietnamese without its marks.
//!
//! `training/normal.py` is the same in Python; `tests/normal.jsonl` holds its answers.

use std::borrow::Cow;
use std::ops::Deref;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use zeroize::{Zeroize, Zeroizing};

/// A text in its normal form. Wiped on drop where it is not the text itself.
pub struct Normal<'a>(Cow<'a, str>);

impl Deref for Normal<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Normal<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

/// The normal form of a text.
pub fn normal(text: &str) -> Normal<'_> {
    if is_plain(text) {
        return Normal(Cow::Borrowed(text));
    }
    let mut words = Zeroizing::new(String::with_capacity(text.len()));
    let mut apart: Zeroizing<String> = Zeroizing::default();
    let shown = Zeroizing::new(text.chars().filter(|c| !is_hidden(*c)).collect::<String>());
    for word in shown.split(' ') {
        if word.len() == 1 && word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            apart.push_str(word);
            continue;
        }
        close(&mut apart, &mut words);
        undisguise(word, &mut words);
        words.push(' ');
    }
    close(&mut apart, &mut words);
    words.pop();
    Normal(Cow::Owned(romanise(&words)))
}

/// Is there nothing to do? Most texts are ASCII without a digit beside a letter or a letter alone.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut before = b' ';
    let mut alone = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x80 {
            return false;
        }
        if before.is_ascii_alphabetic() && is_mark(char::from(*byte)) {
            return false;
        }
        let is_alone = before == b' '
            && byte.is_ascii_alphabetic()
            && bytes.get(at + 1).is_none_or(|next| *next == b' ');
        if is_alone {
            alone += 1;
            if alone == 3 {
                return false;
            }
        } else if *byte != b' ' || before == b' ' {
            alone = 0;
        }
        before = *byte;
    }
    true
}

/// Three letters or more, each by itself, are a word that was pulled apart.
fn close(apart: &mut String, words: &mut String) {
    if apart.len() >= 3 {
        words.push_str(apart);
        words.push(' ');
    } else {
        for letter in apart.chars() {
            words.push(letter);
            words.push(' ');
        }
    }
    apart.zeroize();
}

fn undisguise(word: &str, out: &mut String) {
    let mut chars: Zeroizing<Vec<char>> = Zeroizing::new(word.chars().collect());
    if chars.iter().any(char::is_ascii_alphabetic) {
        for c in chars.iter_mut() {
            *c = looks_like(*c);
        }
    }
    let letters = chars.iter().filter(|c| c.is_ascii_alphabetic()).count();
    if letters >= 2 && chars.len() >= 4 {
        let mut at = 1;
        while at < chars.len() {
            if is_mark(chars[at]) && chars[at - 1].is_ascii_alphabetic() {
                let end = (at..chars.len()).find(|k| !is_mark(chars[*k])).unwrap_or(chars.len());
                // "d3pr3ss3d" is a disguise; "b2b" is too short to be one, and "h264" ends in digits.
                if end - at <= 2 && chars.get(end).is_some_and(char::is_ascii_alphabetic) {
                    for c in &mut chars[at..end] {
                        *c = said(*c);
                    }
                }
                at = end;
            }
            at += 1;
        }
    }
    out.extend(chars.iter());
}

fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// What a digit or a sign may stand for inside a word.
fn is_mark(c: char) -> bool {
    matches!(c, '0' | '1' | '3' | '4' | '5' | '7' | '@' | '$' | '!')
}

fn said(mark: char) -> char {
    match mark {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// The Latin letter that a Cyrillic or Greek one passes for.
fn looks_like(c: char) -> char {
    const THEIRS: &str = "асеіорхуѕјАВСЕНІКМОРТХУοαενΑΒΕΗΙΚΜΝΟΡΤΧΥ";
    const OURS: &str = "aceiopxysjABCEHIKMOPTXYoaevABEHIKMNOPTXY";
    if c.is_ascii() {
        return c;
    }
    THEIRS.chars().zip(OURS.chars()).find(|(theirs, _)| *theirs == c).map_or(c, |(_, ours)| ours)
}

fn is_vietnamese(c: char) -> bool {
    matches!(c, '\u{1ea0}'..='\u{1ef9}' | 'ă' | 'Ă' | 'đ' | 'Đ' | 'ơ' | 'Ơ' | 'ư' | 'Ư')
}

fn is_devanagari(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{963}' | '\u{970}'..='\u{97f}')
}

fn romanise(text: &str) -> String {
    let mut text = match text.chars().any(is_vietnamese) {
        false => text.to_owned(),
        true => text
            .nfd()
            .filter(|c| c.general_category() != GeneralCategory::NonspacingMark)
            .map(|c| match c {
                'đ' => 'd',
                'Đ' => 'D',
                other => other,
            })
            .collect(),
    };
    if text.chars().any(is_devanagari) {
        let mut latin = String::with_capacity(text.len());
        let mut rest = &text[..];
        while let Some(c) = rest.chars().next() {
            let end = rest.find(|c| !is_devanagari(c)).unwrap_or(rest.len());
            if end > 0 {
                latin.push_str(&devanagari_word(&rest[..end]));
                rest = &rest[end..];
            } else {
                latin.push(if matches!(c, '।' | '॥') { '.' } else { c });
                rest = &rest[c.len_utf8()..];
            }
        }
        text.zeroize();
        return latin;
    }
    text
}

/// A consonant or none, the vowel after it, and what closes the syllable.
struct Syllable {
    letter: char,
    before: &'static str,
    vowel: Option<&'static str>,
    /// The vowel that every consonant has and nobody writes.
    unwritten: bool,
    after: &'static str,
}

/// One run of Devanagari as people type it in Latin letters.
fn devanagari_word(word: &str) -> String {
    let mut syllables: Vec<Syllable> = Vec::new();
    let whole = |before, vowel, after| Syllable {
        letter: ' ',
        before,
        vowel: Some(vowel),
        unwritten: false,
        after,
    };
    for c in word.nfd() {
        if let Some(before) = consonant(c) {
            let vowel = Some("a");
            syllables.push(Syllable { letter: c, before, vowel, unwritten: true, after: "" });
        } else if let Some(own) = vowel(c) {
            syllables.push(whole("", own, ""));
        } else if c == 'ॐ' {
            syllables.push(whole("", "o", "m"));
        } else if let Some(last) = syllables.last_mut() {
            match (c, sign(c)) {
                ('़', _) => last.before = dotted(last.letter).unwrap_or(last.before),
                ('्', _) => (last.vowel, last.unwritten) = (None, false),
                ('ं' | 'ँ', _) => last.after = "n",
                ('ः', _) => last.after = "h",
                (_, Some(vowel)) => (last.vowel, last.unwritten) = (Some(vowel), false),
                _ => {}
            }
        }
    }
    // The unwritten vowel is not said at the end, nor between a syllable with a vowel and another.
    for at in (1..syllables.len()).rev() {
        let silent = match (&syllables[at - 1], syllables.get(at + 1)) {
            (_, None) => true,
            (before, Some(next)) => {
                before.vowel.is_some() && next.vowel.is_some() && !next.before.is_empty()
            }
        };
        let this = &mut syllables[at];
        if this.unwritten && this.after.is_empty() && silent {
            this.vowel = None;
        }
    }
    let mut out = String::with_capacity(word.len());
    for syllable in &syllables {
        out.push_str(syllable.before);
        out.push_str(syllable.vowel.unwrap_or_default());
        out.push_str(syllable.after);
    }
    // A long a at the end is typed short.
    if out.ends_with("aa") {
        out.pop();
    }
    out
}

fn consonant(c: char) -> Option<&'static str> {
    Some(match c {
        'क' => "k",
        'ख' => "kh",
        'ग' => "g",
        'घ' => "gh",
        'ङ' | 'ञ' | 'ण' | 'न' => "n",
        'च' => "ch",
        'छ' => "chh",
        'ज' => "j",
        'झ' => "jh",
        'ट' | 'त' => "t",
        'ठ' | 'थ' => "th",
        'ड' | 'द' => "d",
        'ढ' | 'ध' => "dh",
        'प' => "p",
        'फ' => "ph",
        'ब' => "b",
        'भ' => "bh",
        'म' => "m",
        'य' => "y",
        'र' => "r",
        'ल' | 'ळ' => "l",
        'व' => "v",
        'श' | 'ष' => "sh",
        'स' => "s",
        'ह' => "h",
        _ => return None,
    })
}

/// A consonant with a dot below.
fn dotted(letter: char) -> Option<&'static str> {
    Some(match letter {
        'क' => "q",
        'ख' => "kh",
        'ग' => "g",
        'ज' => "z",
        'ड' => "r",
        'ढ' => "rh",
        'फ' => "f",
        _ => return None,
    })
}

fn vowel(c: char) -> Option<&'static str> {
    Some(match c {
        'अ' => "a",
        'आ' => "aa",
        'इ' | 'ई' => "i",
        'उ' | 'ऊ' => "u",
        'ऋ' => "ri",
        'ऍ' | 'ए' => "e",
        'ऐ' => "ai",
        'ऑ' | 'ओ' => "o",
        'औ' => "au",
        _ => return None,
    })
}

fn sign(c: char) -> Option<&'static str> {
    Some(match c {
        'ा' => "aa",
        'ि' | 'ी' => "i",
        'ु' | 'ू' => "u",
        'ृ' => "ri",
        'ॅ' | 'े' => "e",
        'ै' => "ai",
        'ॉ' | 'ो' => "o",
        'ौ' => "au",
        _ => return None,
    })
}
