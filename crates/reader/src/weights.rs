//! The model's file.
//!
//! Layout, little-endian: `TACTMDL4`; the length of the header (u32) and the header (JSON, see
//! [`Header`]); the vocabulary (u32 length, text); the table (i8, tokens × dim); the hashed
//! n-grams (i8, buckets × 8: one column a subject and one unused); nine layers, each its weights
//! (i8, outputs × inputs), what a step is worth (f32, outputs) and the bias (f32, outputs): of the
//! fast path the hidden layer, the subjects straight from the table, then from the hidden layer the
//! subjects, the leaves (and none) and the stages; of the judge the subjects, the leaves (and none)
//! and the stages, and from its gist the leaves; the BLAKE3 hash of all before it (32 bytes).

use crate::heads::Sure;
use crate::matrix::{Layer, Matrix};
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

/// The numbers that are not matrices. Log-odds are natural.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Length of a row of the table.
    pub dim: usize,
    /// Width of the fast path's hidden layer.
    pub hidden: usize,
    /// Rows of the table.
    pub tokens: usize,
    /// Buckets of the hashed n-grams.
    pub buckets: usize,
    /// Length of the encoder's vectors.
    pub wide: usize,
    /// The leaves' ids, in the order of the outputs.
    pub leaves: Vec<String>,
    /// What one step of the hashed weights is worth, a subject.
    pub hashed_steps: Vec<f32>,
    /// Log-odds: below it for every subject, the fast path clears an English text by itself.
    pub clear: f32,
    /// Log-odds: from it on for any subject, the fast path stops an English text by itself.
    pub stop: f32,
    /// What both paths together make of an English text.
    pub english: Together,
    /// And of one in any other language.
    pub elsewhere: Together,
    /// How much the fast path's log-odds of the leaves count beside the judge's, in English.
    pub fast_beside_judge: f32,
    /// The languages beside English in which the recall was measured: ISO 639-1.
    pub languages: Vec<String>,
    /// The leaves of the fast path.
    pub fast_leaves: Sure,
    /// Where the fast path is so sure of its best leaf, from and to, the judge is asked.
    pub leaves_doubtful: [f32; 2],
    /// The leaves of the judge.
    pub judge_leaves: Sure,
}

/// The log-odds of a subject: those of the judge and of the fast path, weighed, and a bias.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// How much the judge counts.
    pub by_judge: f32,
    /// How much the fast path counts.
    pub by_fast: f32,
    /// What is added, a subject.
    pub bias: [f32; 7],
    /// Log-odds from which a subject is touched.
    pub thresholds: [f32; 7],
}

/// A file that was read and checked.
pub struct Weights {
    /// Its numbers.
    pub header: Header,
    /// One piece a line.
    pub vocabulary: String,
    /// tokens × dim.
    pub table: Vec<i8>,
    /// buckets × 8.
    pub hashed: Vec<i8>,
    /// dim → hidden.
    pub hidden: Layer,
    /// dim → 7.
    pub direct: Layer,
    /// hidden → 7, leaves + 1, stages.
    pub fast: Heads,
    /// wide → 7, leaves + 1, stages.
    pub judge: Heads,
    /// The gist → leaves + 1, beside the judge's.
    pub gist: Layer,
    /// Which file it is.
    pub id: ModelId,
}

/// What a path ends in.
pub struct Heads {
    /// To the subjects.
    pub subjects: Layer,
    /// To the leaves; the last output is that there is none.
    pub leaves: Layer,
    /// To the stages: curious, doing, buying, dislike.
    pub stages: Layer,
}

/// Curious, doing, buying, dislike.
pub const STAGES: usize = 4;

const MAGIC: &[u8; 8] = b"TACTMDL4";

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
        let hidden = layer(&mut rest, header.dim, header.hidden)?;
        let direct = layer(&mut rest, header.dim, 7)?;
        let leaves = header.leaves.len() + 1;
        let fast = heads(&mut rest, header.hidden, leaves)?;
        let judge = heads(&mut rest, header.wide, leaves)?;
        let gist = layer(&mut rest, crate::encoder::GIST, leaves)?;
        if !rest.is_empty() || vocabulary.lines().count() != header.tokens {
            return Err(LoadError::Header("there is more or less than it says".to_owned()));
        }
        let mut id = [0; 8];
        id.copy_from_slice(&whole.as_bytes()[..8]);
        let id = ModelId(u64::from_be_bytes(id));
        Ok(Self { header, vocabulary, table, hashed, hidden, direct, fast, judge, gist, id })
    }
}

impl Header {
    fn check(&self) -> Result<(), LoadError> {
        let sizes = (1..=4096).contains(&self.dim)
            && (1..=4096).contains(&self.hidden)
            && (1..=1 << 20).contains(&self.tokens)
            && (1..=1 << 24).contains(&self.buckets)
            && (4..=1 << 14).contains(&self.leaves.len())
            && self.hashed_steps.len() == 7
            && self.wide == crate::encoder::VECTOR;
        match sizes {
            true => Ok(()),
            false => {
                Err(LoadError::Header("its lists and sizes are not those of a model".to_owned()))
            }
        }
    }
}

fn heads(rest: &mut &[u8], inputs: usize, leaves: usize) -> Result<Heads, LoadError> {
    Ok(Heads {
        subjects: layer(rest, inputs, 7)?,
        leaves: layer(rest, inputs, leaves)?,
        stages: layer(rest, inputs, STAGES)?,
    })
}

fn layer(rest: &mut &[u8], inputs: usize, outputs: usize) -> Result<Layer, LoadError> {
    let weights = signed(take(rest, inputs * outputs)?);
    let steps = floats(take(rest, 4 * outputs)?);
    let bias = floats(take(rest, 4 * outputs)?);
    Ok(Layer { matrix: Matrix::new(&weights, inputs, steps), bias })
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

pub(crate) fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| byte.cast_signed()).collect()
}

pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}
