//! The model's file.
//!
//! Layout, little-endian: `TACTMDL1`; the length of the header (u32) and the header (JSON, see
//! [`Header`]); the vocabulary (u32 length, text); the table (i8, tokens × dim); the hashed
//! n-grams (i8, buckets × 8: one column a subject and one unused); the subjects' dense weights
//! (f32, 7 × dim); the leaves' vectors (f32, leaves × dim); the BLAKE3 hash of all before it (32
//! bytes).

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
    /// The leaves' ids, in the order of their vectors.
    pub leaves: Vec<String>,
    /// One bias a subject.
    pub subject_bias: Vec<f32>,
    /// What one step of the hashed weights is worth, a subject.
    pub hashed_scale: Vec<f32>,
    /// Thousandths from which a subject is touched.
    pub thresholds: Vec<u16>,
    /// Of each leaf, over texts of all kinds: mean and deviation of the cosine to its vector.
    pub leaf_mean: Vec<f32>,
    /// See `leaf_mean`.
    pub leaf_deviation: Vec<f32>,
    /// Probability of a leaf: logistic of slope × (z + offset), z in deviations.
    pub leaf_slope: f32,
    /// See `leaf_slope`.
    pub leaf_offset: f32,
    /// Thousandths from which a leaf is found.
    pub leaf_threshold: u16,
    /// A leaf that is more deviations below the best one is not told beside it.
    pub leaf_margin: f32,
    /// Words that say that somebody wants to buy, and words that say that somebody is at it.
    pub buying: Vec<String>,
    /// See `buying`.
    pub doing: Vec<String>,
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
    pub dense: Vec<f32>,
    /// leaves × dim.
    pub leaves: Vec<f32>,
    /// Which file it is.
    pub id: ModelId,
}

const MAGIC: &[u8; 8] = b"TACTMDL1";

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
        let dense = floats(take(&mut rest, 7 * header.dim * 4)?);
        let leaves = floats(take(&mut rest, header.leaves.len() * header.dim * 4)?);
        if !rest.is_empty() || vocabulary.lines().count() != header.tokens {
            return Err(LoadError::Header("there is more or less than it says".to_owned()));
        }
        let mut id = [0; 8];
        id.copy_from_slice(&whole.as_bytes()[..8]);
        let id = ModelId(u64::from_be_bytes(id));
        Ok(Self { header, vocabulary, table, hashed, dense, leaves, id })
    }
}

impl Header {
    fn check(&self) -> Result<(), LoadError> {
        let sizes = (1..=4096).contains(&self.dim)
            && (1..=1 << 20).contains(&self.tokens)
            && (1..=1 << 24).contains(&self.buckets)
            && (1..=1 << 14).contains(&self.leaves.len());
        let leaves = self.leaf_mean.len() == self.leaves.len()
            && self.leaf_deviation.len() == self.leaves.len()
            && self.leaf_deviation.iter().all(|deviation| *deviation > 0.0);
        let subjects = [&self.subject_bias, &self.hashed_scale].iter().all(|list| list.len() == 7)
            && self.thresholds.len() == 7;
        match sizes && leaves && subjects {
            true => Ok(()),
            false => {
                Err(LoadError::Header("its lists and sizes are not those of a model".to_owned()))
            }
        }
    }
}

pub fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], LoadError> {
    let (taken, left) = rest
        .split_at_checked(length)
        .ok_or_else(|| LoadError::Header("there is less than it says".to_owned()))?;
    *rest = left;
    Ok(taken)
}

pub fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], LoadError> {
    let mut length = [0; 4];
    length.copy_from_slice(take(rest, 4)?);
    take(rest, u32::from_le_bytes(length) as usize)
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| byte.cast_signed()).collect()
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}
