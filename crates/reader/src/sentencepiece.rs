//! SentencePiece's unigram tokens (Kudo 2018; Kudo and Richardson 2018), id by id as the reference
//! gives them: `tests/sentencepiece.jsonl` holds its answers.

use crawdad::Trie;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// A token: its row in the table.
pub type Piece = u32;

const UNKNOWN: Piece = 0;
const BEGIN: Piece = 1;
const END: Piece = 2;

/// What stands for a blank inside the pieces.
const BLANK: char = '\u{2581}';

/// The pieces with their scores, and the map that brings a text to its normal form.
pub struct SentencePiece {
    pieces: Trie,
    scores: Vec<f32>,
    /// What a character costs that is in no piece.
    unknown: f32,
    normal: Normaliser,
}

impl SentencePiece {
    /// Takes the pieces in the order of their ids, the scores beside them, and the normaliser's
    /// map. `None` when they do not fit each other.
    pub fn new(pieces: &str, scores: Vec<f32>, map: &[u8]) -> Option<Self> {
        // The first three are marks, not text.
        let mut records: Vec<(&str, u32)> = pieces.lines().zip(0..).skip(3).collect();
        if records.len() + 3 != scores.len() {
            return None;
        }
        records.sort_unstable();
        records.dedup_by_key(|(piece, _)| *piece);
        let pieces = Trie::from_records(records).ok()?;
        let unknown = scores.iter().copied().fold(f32::INFINITY, f32::min) - 10.0;
        Some(Self { pieces, scores, unknown, normal: Normaliser::new(map)? })
    }

    /// The tokens of a text between the marks of its beginning and its end, and how many of them
    /// are unknown.
    pub fn tokens(&self, text: &str) -> Vec<Piece> {
        let normal = Zeroizing::new(self.normal.normal(text));
        let mut tokens = vec![BEGIN];
        self.best(&normal, &mut tokens);
        tokens.push(END);
        tokens
    }

    /// How many of these tokens stand for what is in no piece.
    pub fn unknown(tokens: &[Piece]) -> usize {
        tokens.iter().filter(|token| **token == UNKNOWN).count()
    }

    /// The split of the highest score (Viterbi); of equal ones that whose last piece begins first.
    fn best(&self, normal: &str, tokens: &mut Vec<Piece>) {
        let chars: Zeroizing<Vec<char>> = Zeroizing::new(normal.chars().collect());
        if chars.is_empty() {
            return tokens.push(UNKNOWN);
        }
        // The best way to each place: its score, where its last piece begins, and that piece.
        let mut ways = vec![(f32::NEG_INFINITY, 0usize, UNKNOWN); chars.len() + 1];
        ways[0].0 = 0.0;
        for from in 0..chars.len() {
            let before = ways[from].0;
            let mut single = false;
            for (piece, length) in self.pieces.common_prefix_search(chars[from..].iter().copied()) {
                single |= length == 1;
                let score = before + self.scores[piece as usize];
                let way = &mut ways[from + length];
                if score > way.0 {
                    *way = (score, from, piece);
                }
            }
            let score = before + self.unknown;
            if !single && score > ways[from + 1].0 {
                ways[from + 1] = (score, from, UNKNOWN);
            }
        }
        let first = tokens.len();
        let mut at = chars.len();
        while at > 0 {
            let (_, from, piece) = ways[at];
            tokens.push(piece);
            at = from;
        }
        tokens[first..].reverse();
    }
}

/// The map of `nmt_nfkc`, as SentencePiece compiles it: a double array of the strings to replace
/// (Darts-clone), then the replacements, each ended by a zero byte.
struct Normaliser {
    units: Vec<u32>,
    replacements: Vec<u8>,
}

impl Normaliser {
    fn new(map: &[u8]) -> Option<Self> {
        let (size, rest) = map.split_first_chunk::<4>()?;
        let (units, replacements) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
        let (units, _) = units.as_chunks::<4>();
        let units = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        Some(Self { units, replacements: replacements.to_vec() })
    }

    /// Compatibility forms composed, runs of blanks as one, blanks written as pieces have them,
    /// one of them before the first word and none at the end.
    fn normal(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        let mut rest = text;
        let mut after_blank = true;
        while !rest.is_empty() {
            let (replaced, length) = self.prefix(rest);
            rest = &rest[length..];
            for c in replaced.chars() {
                if c == ' ' {
                    after_blank = true;
                    continue;
                }
                if after_blank {
                    out.push(BLANK);
                }
                after_blank = false;
                out.push(c);
            }
        }
        out
    }

    /// What the beginning of a text becomes, and how many bytes of it that is.
    fn prefix<'a>(&'a self, text: &'a str) -> (Cow<'a, str>, usize) {
        let mut longest = None;
        let mut node = 0;
        let unit = |at: u32| self.units.get(at as usize).copied();
        let mut here = unit(0).map(offset);
        for (at, byte) in text.bytes().enumerate() {
            let Some(offset_here) = here else { break };
            node ^= offset_here ^ u32::from(byte);
            let Some(found) = unit(node).filter(|u| u & 0x8000_00FF == u32::from(byte)) else {
                break;
            };
            here = Some(offset(found));
            if found & 0x100 != 0
                && let Some(leaf) = unit(node ^ offset(found))
            {
                longest = Some((leaf & 0x7FFF_FFFF, at + 1));
            }
        }
        if let Some((value, length)) = longest
            && text.is_char_boundary(length)
            && let Some(from) = self.replacements.get(value as usize..)
        {
            let end = from.iter().position(|byte| *byte == 0).unwrap_or(from.len());
            return (String::from_utf8_lossy(&from[..end]), length);
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (Cow::Borrowed(&text[..length]), length)
    }
}

/// Where the children of a unit are, relative to it (Darts-clone).
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 0x200) >> 6)
}
