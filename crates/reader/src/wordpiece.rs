//! WordPiece tokens of BERT's uncased vocabulary (Devlin et al. 2018), id by id as the reference
//! tokeniser gives them: `tests/wordpiece.rs` holds its answers.

use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use zeroize::Zeroizing;

/// A longer word is one unknown token.
const LONGEST_WORD: usize = 100;

/// A token: its row in the table.
pub type Token = u32;

/// The vocabulary.
pub struct WordPiece {
    /// Pieces that begin a word.
    heads: HashMap<Box<str>, Token>,
    /// Pieces that go on with one (`##` taken off).
    tails: HashMap<Box<str>, Token>,
    unknown: Token,
}

impl WordPiece {
    /// Takes a vocabulary, one piece a line, its number being its token. `None` without `[UNK]`.
    pub fn new(vocabulary: &str) -> Option<Self> {
        let (mut heads, mut tails) = (HashMap::new(), HashMap::new());
        for (token, piece) in (0..).zip(vocabulary.lines()) {
            match piece.strip_prefix("##") {
                Some(tail) => tails.insert(tail.into(), token),
                None => heads.insert(piece.into(), token),
            };
        }
        let unknown = *heads.get("[UNK]")?;
        Some(Self { heads, tails, unknown })
    }

    /// The token of what is in no vocabulary.
    pub fn unknown(&self) -> Token {
        self.unknown
    }

    /// Is this word one piece?
    pub fn is_whole(&self, word: &str) -> bool {
        self.heads.contains_key(word)
    }

    /// Adds the tokens of one word, as [`words`] gives it.
    pub fn tokens(&self, word: &str, out: &mut Vec<Token>) {
        if let Some(token) = self.heads.get(word) {
            return out.push(*token);
        }
        if word.chars().count() > LONGEST_WORD {
            return out.push(self.unknown);
        }
        let before = out.len();
        let mut rest = word;
        let mut pieces = &self.heads;
        while !rest.is_empty() {
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let longest =
                ends.map(|end| &rest[..end]).find_map(|piece| Some((piece, pieces.get(piece)?)));
            let Some((piece, token)) = longest else {
                out.truncate(before);
                return out.push(self.unknown);
            };
            out.push(*token);
            rest = &rest[piece.len()..];
            pieces = &self.tails;
        }
    }
}

/// Calls `each` for every word of a text: lower case, accents off, punctuation and ideographs by
/// themselves.
pub fn words(text: &str, mut each: impl FnMut(&str)) {
    let mut word = Zeroizing::new(String::with_capacity(32));
    let mut flush = |word: &mut String, alone: Option<char>| {
        if !word.is_empty() {
            each(word);
            word.clear();
        }
        if let Some(c) = alone {
            let mut bytes = [0; 4];
            each(c.encode_utf8(&mut bytes));
        }
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if c.is_ascii() {
            match c {
                ' ' | '\t' | '\n' | '\r' => flush(&mut word, None),
                c if c.is_ascii_control() => {}
                c => flush(&mut word, Some(c)),
            }
        } else if is_ideograph(c) {
            flush(&mut word, Some(c));
        } else if c.is_whitespace() {
            flush(&mut word, None);
        } else if c != '\u{fffd}' && c.general_category_group() != GeneralCategoryGroup::Other {
            let accent = |c: &char| c.general_category() == GeneralCategory::NonspacingMark;
            for plain in std::iter::once(c).nfd().filter(|c| !accent(c)) {
                for lower in plain.to_lowercase() {
                    match lower.general_category_group() {
                        GeneralCategoryGroup::Punctuation => flush(&mut word, Some(lower)),
                        _ => word.push(lower),
                    }
                }
            }
        }
    }
    flush(&mut word, None);
}

/// The blocks that the reference tokeniser sets apart, character by character.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B820..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}
