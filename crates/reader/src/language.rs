//! Is this a text that the model can judge: of its language, of words, not too long?

use tactful_core::reading::Unjudged;
use whatlang::{Detector, Info, Lang};

/// The language that the fast path knows.
pub const ENGLISH: [u8; 2] = *b"en";

/// A longer text is not judged: characters.
pub const LONGEST: usize = 20_000;

/// What is known of the words of a text before it is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Words of letters.
    pub words: usize,
    /// Of these, the ones that are one piece of the vocabulary.
    pub whole: usize,
    /// Tokens, and those that are in no vocabulary.
    pub tokens: usize,
    /// See `tokens`.
    pub unknown: usize,
    /// Runs of characters between blanks.
    pub runs: usize,
}

impl Shape {
    /// How many words in a hundred are pieces of the English vocabulary. (One that is is likely
    /// English; names and rare words are not, so a part of them is let pass.)
    pub fn known(&self) -> usize {
        self.whole * 100 / self.words.max(1)
    }
}

/// The language of a text: English, or one of those in which the judge was measured.
///
/// # Errors
/// Why it cannot be judged; the language that the detector names is given by [`detected`].
pub fn judge(text: &str, shape: Shape, measured: &[String]) -> Result<[u8; 2], Unjudged> {
    if text.chars().nth(LONGEST).is_some() {
        return Err(Unjudged::TooLong);
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if letters == 0 {
        return Err(Unjudged::Empty);
    }
    let other = |info: Info| {
        let known = |code: &[u8; 2]| measured.iter().any(|m| m.as_bytes() == code);
        let code = code(info.lang()).or_else(|| neighbour(text, info).and_then(code));
        code.filter(known).ok_or(Unjudged::Language)
    };
    let latin = text.chars().filter(|c| c.is_alphabetic() && is_latin(*c)).count();
    if latin * 10 < letters * 7 {
        return Detector::new().detect(text).map_or(Err(Unjudged::Language), other);
    }
    if shape.tokens > 0 && shape.unknown * 2 > shape.tokens {
        return Err(Unjudged::Garbled);
    }
    // The detector costs more than all else together, so it is asked only where it could decide.
    let known = shape.known();
    if shape.words >= 3
        && known < 75
        && let Some(info) = Detector::new().detect(text)
        && info.lang() != Lang::Eng
        && (known < 55 || info.is_reliable())
    {
        return other(info);
    }
    match (shape.words, known) {
        // Longer than any English word gets without a space.
        (_, 0) if text.split_whitespace().any(|word| word.chars().count() > 40) => {
            Err(Unjudged::Garbled)
        }
        (4.., 0..30) => Err(Unjudged::Garbled),
        _ => Ok(ENGLISH),
    }
}

/// Words without which hardly a sentence of Tagalog goes.
const TAGALOG: [&str; 13] =
    ["ang", "ng", "mga", "sa", "na", "ko", "mo", "ako", "ba", "po", "ay", "si", "yung"];

/// Of few words the detector cannot tell some languages from a neighbour. What the neighbour does not have
/// decides: a letter, or else the words that it cannot do without. Javanese, in which hardly anybody writes
/// to an assistant, must be sure.
fn neighbour(text: &str, info: Info) -> Option<Lang> {
    let has = |letters: &str| text.chars().any(|c| letters.contains(c));
    match info.lang() {
        Lang::Bul | Lang::Mkd | Lang::Srp if has("ыэёЫЭЁ") => Some(Lang::Rus),
        Lang::Bel if has("иИщЩ") && !has("іІўЎ") => Some(Lang::Rus),
        Lang::Dan | Lang::Nob if has("äöÄÖ") && !has("æøÆØ") => Some(Lang::Swe),
        Lang::Afr if text.to_lowercase().contains("ij") => Some(Lang::Nld),
        Lang::Jav if !info.is_reliable() => Some(Lang::Ind),
        Lang::Tgl if !info.is_reliable() => {
            let text = text.to_lowercase();
            let mut words = text.split(|c: char| !c.is_alphabetic());
            (!words.any(|word| TAGALOG.contains(&word))).then_some(Lang::Ind)
        }
        _ => None,
    }
}

/// What the detector calls a text that is not judged, if it is sure: ISO 639-1.
pub fn detected(text: &str) -> Option<[u8; 2]> {
    let info = Detector::new().detect(text).filter(|info| info.is_reliable())?;
    code(info.lang())
}

fn code(language: Lang) -> Option<[u8; 2]> {
    let code = match language {
        Lang::Eng => b"en",
        Lang::Spa => b"es",
        Lang::Por => b"pt",
        Lang::Fra => b"fr",
        Lang::Deu => b"de",
        Lang::Ita => b"it",
        Lang::Nld => b"nl",
        Lang::Pol => b"pl",
        Lang::Rus => b"ru",
        Lang::Ukr => b"uk",
        Lang::Tur => b"tr",
        Lang::Ara => b"ar",
        Lang::Hin => b"hi",
        Lang::Ind => b"id",
        Lang::Vie => b"vi",
        Lang::Tha => b"th",
        Lang::Cmn => b"zh",
        Lang::Jpn => b"ja",
        Lang::Kor => b"ko",
        Lang::Swe => b"sv",
        _ => return None,
    };
    Some(*code)
}

fn is_latin(c: char) -> bool {
    matches!(u32::from(c), 0x41..=0x24F | 0x1E00..=0x1EFF)
}
