//! The model's file.
//!
//! Layout, little-endian: `TACTMDL2`; the length of the header (u32) and the header (JSON, see
//! [`Header`]); the vocabulary (u32 length, text); the table (i8, tokens × dim); the hashed
//! n-grams (i8, buckets × 8: one column a subject and one unused); the dense weights of the fast
//! path (f32, 7 × dim) and of the judge (f32, 7 × wide); the leaves' vectors of the fast path (f32,
//! leaves × dim) and of the judge (f32, leaves × wide); the BLAKE3 hash of all before it (32 bytes).

use serde::Deserialize;
use tactful_core::reading::ModelId;

/// Why a model's file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is no model, or of another version.
    #[error("it does not begin as a model of this version does")]
    Magic,
    /// Bytes are missing or were changed.
    #[error("it is not whole: its hash is not the one at its end")]
    Damaged,
    /// The header says what the rest does not hold.
    #[error("its header does not fit: {0}")]
    Header(String),
    /// It was made for another taxonomy.
    #[error("it was made for another taxonomy: leaf {0} differs")]
    Taxonomy(usize),
}

/// The numbers that are not matrices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Length of a row of the table.
    pub dim: usize,
    /// Rows of the table.
    pub tokens: usize,
    /// Buckets of the hashed n-grams.
    pub buckets: usize,
    /// Length of the encoder's vectors.
    pub wide: usize,
    /// The leaves' ids, in the order of their vectors.
    pub leaves: Vec<String>,
    /// One bias a subject of the fast path.
    pub fast_bias: Vec<f32>,
    /// What one step of the hashed weights is worth, a subject.
    pub hashed_scale: Vec<f32>,
    /// One bias a subject of the judge.
    pub judge_bias: Vec<f32>,
    /// Thousandths: below it for every subject, the fast path clears a text by itself.
    pub clear: u16,
    /// Thousandths: from it on for any subject, the fast path stops a text by itself.
    pub stop: u16,
    /// Thousandths from which the judge finds a subject touched.
    pub thresholds: Vec<u16>,
    /// How much the judge's own opinion counts beside the fast path's, in English: 0 to 1.
    pub judge_share: f32,
    /// In other languages a subject is touched from this part of its threshold on.
    pub elsewhere: f32,
    /// The languages beside English in which the judge's recall was measured: ISO 639-1.
    pub languages: Vec<String>,
    /// The leaves of the fast path.
    pub fast_leaves: Leaves,
    /// The leaves of the judge.
    pub judge_leaves: Leaves,
    /// Words that say that somebody wants to buy, and words that say that somebody is at it.
    pub buying: Vec<String>,
    /// See `buying`.
    pub doing: Vec<String>,
}

/// How sure a distance to a leaf's vector makes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaves {
    /// Of each leaf, over texts of all kinds: mean and deviation of the cosine to its vector.
    pub mean: Vec<f32>,
    /// See `mean`.
    pub deviation: Vec<f32>,
    /// Logistic of: one, the deviations above the mean, the logarithm of the text's length in
    /// words, these two multiplied, how far it is behind the best leaf, and whether there is an
    /// interest at all (`some`).
    pub sure: [f32; 6],
    /// Weights on the vector: is there an interest at all? In log-odds, with its bias.
    pub some: Vec<f32>,
    /// See `some`.
    pub some_bias: f32,
    /// Thousandths from which a leaf is found.
    pub threshold: u16,
}

/// A file that was read and checked.
#[derive(Debug)]
pub struct Weights {
    /// Its numbers.
    pub header: Header,
    /// One piece a line.
    pub vocabulary: String,
    /// tokens × dim.
    pub table: Vec<i8>,
    /// buckets × 8.
    pub hashed: Vec<i8>,
    /// 7 × dim.
    pub fast: Vec<f32>,
    /// 7 × wide.
    pub judge: Vec<f32>,
    /// leaves × dim.
    pub fast_leaves: Vec<f32>,
    /// leaves × wide.
    pub judge_leaves: Vec<f32>,
    /// Which file it is.
    pub id: ModelId,
}

const MAGIC: &[u8; 8] = b"TACTMDL2";

impl Weights {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not whole, or its parts do not fit each other.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(LoadError::Magic)?;
        let (_, hash) = bytes.split_last_chunk::<32>().ok_or(LoadError::Damaged)?;
        let whole = blake3::hash(&bytes[..bytes.len() - 32]);
        if whole.as_bytes() != hash {
            return Err(LoadError::Damaged);
        }
        let mut rest = &body[..body.len().saturating_sub(32)];
        let header = counted(&mut rest)?;
        let header: Header =
            serde_json::from_slice(header).map_err(|error| LoadError::Header(error.to_string()))?;
        header.check()?;
        let vocabulary = std::str::from_utf8(counted(&mut rest)?)
            .map_err(|_| LoadError::Header("the vocabulary is not UTF-8".to_owned()))?
            .to_owned();
        let table = signed(take(&mut rest, header.tokens * header.dim)?);
        let hashed = signed(take(&mut rest, header.buckets * 8)?);
        let fast = floats(take(&mut rest, 7 * header.dim * 4)?);
        let judge = floats(take(&mut rest, 7 * header.wide * 4)?);
        let fast_leaves = floats(take(&mut rest, header.leaves.len() * header.dim * 4)?);
        let judge_leaves = floats(take(&mut rest, header.leaves.len() * header.wide * 4)?);
        if !rest.is_empty() || vocabulary.lines().count() != header.tokens {
            return Err(LoadError::Header("there is more or less than it says".to_owned()));
        }
        let mut id = [0; 8];
        id.copy_from_slice(&whole.as_bytes()[..8]);
        let id = ModelId(u64::from_be_bytes(id));
        Ok(Self { header, vocabulary, table, hashed, fast, judge, fast_leaves, judge_leaves, id })
    }
}

impl Header {
    fn check(&self) -> Result<(), LoadError> {
        let sizes = (1..=4096).contains(&self.dim)
            && (1..=1 << 20).contains(&self.tokens)
            && (1..=1 << 24).contains(&self.buckets)
            && (1..=1 << 14).contains(&self.leaves.len());
        let leaves = [&self.fast_leaves, &self.judge_leaves].iter().all(|leaves| {
            leaves.mean.len() == self.leaves.len()
                && leaves.deviation.len() == self.leaves.len()
                && leaves.deviation.iter().all(|deviation| *deviation > 0.0)
        });
        let subjects = [&self.fast_bias, &self.hashed_scale, &self.judge_bias]
            .iter()
            .all(|list| list.len() == 7)
            && self.thresholds.len() == 7
            && self.wide == crate::encoder::DIM;
        match sizes && leaves && subjects {
            true => Ok(()),
            false => {
                Err(LoadError::Header("its lists and sizes are not those of a model".to_owned()))
            }
        }
    }
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], LoadError> {
    let (taken, left) = rest
        .split_at_checked(length)
        .ok_or_else(|| LoadError::Header("there is less than it says".to_owned()))?;
    *rest = left;
    Ok(taken)
}

pub(crate) fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], LoadError> {
    let mut length = [0; 4];
    length.copy_from_slice(take(rest, 4)?);
    take(rest, u32::from_le_bytes(length) as usize)
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| byte.cast_signed()).collect()
}

pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}
