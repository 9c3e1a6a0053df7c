//! Is this a text that the model can judge: of its language, of words, not too long?

use tactful_core::reading::Unjudged;
use whatlang::{Detector, Lang};

/// The only language whose recall was measured so far.
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
}

/// The language of a text, or why it cannot be judged.
///
/// # Errors
/// [`Unjudged`]; a language that the detector names is given beside it by [`detected`].
pub fn judge(text: &str, shape: Shape) -> Result<[u8; 2], Unjudged> {
    if text.chars().nth(LONGEST).is_some() {
        return Err(Unjudged::TooLong);
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if letters == 0 {
        return Err(Unjudged::Empty);
    }
    let latin = text.chars().filter(|c| c.is_alphabetic() && is_latin(*c)).count();
    if latin * 10 < letters * 7 {
        return Err(Unjudged::Language);
    }
    if shape.tokens > 0 && shape.unknown * 2 > shape.tokens {
        return Err(Unjudged::Garbled);
    }
    // A word that is one piece of an English vocabulary is likely English; names and rare words
    // are not, so a part of them is let pass.
    let known = shape.whole * 100 / shape.words.max(1);
    // The detector costs more than all else together, so it is asked only where it could decide.
    if shape.words >= 3
        && known < 75
        && let Some(info) = Detector::new().detect(text)
        && info.lang() != Lang::Eng
        && (known < 55 || info.is_reliable())
    {
        return Err(Unjudged::Language);
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

/// What the detector calls a text that is not judged, if it is sure: ISO 639-1.
pub fn detected(text: &str) -> Option<[u8; 2]> {
    let info = Detector::new().detect(text).filter(|info| info.is_reliable())?;
    let code = match info.lang() {
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
