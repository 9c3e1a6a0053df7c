//! The sentence encoder that the doubtful turns are asked of: the layers of USE-multilingual-v3
//! (Yang et al. 2019, "Multilingual Universal Sentence Encoder for Semantic Retrieval"), fine-tuned
//! on what was labelled and packed by `training/encoder.py`. Every token's vector, and what three
//! convolutions make of it with its neighbours, are summed over the text and brought through three
//! dense layers to 512 numbers. Beside it stands attention of our own, since a few words in a long
//! text drown in the sum: of each subject, where in the text to look and what is found there.

use crate::matrix::{Layer, Matrix, Rows};
use crate::sentencepiece::{Piece, SentencePiece};
use crate::weights::{LoadError, counted, floats, signed, take};
use archmage::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use zeroize::Zeroize;

/// Length of a vector.
pub const DIM: usize = 512;

/// Width of one convolution.
const WIDTH: usize = 256;

/// Numbers a token: its own vector, and three convolutions.
const FEATURES: usize = DIM + 3 * WIDTH;

/// Length of a gist.
pub const GIST: usize = FEATURES;

/// Attention looks once for each subject, and once for the leaves.
const QUERIES: usize = 8;

/// What it finds of each subject.
const VALUES: usize = 7;

/// Width of the dense layers.
const HIDDEN: usize = 320;

/// Of each convolution: how many neighbours it sees, and how many of them stand before.
const ORDERS: [(usize, usize); 3] = [(2, 0), (3, 1), (5, 2)];

/// More tokens than this say nothing more about a text; the rest is not looked at.
const LONGEST: usize = 256;

const MAGIC: &[u8; 8] = b"TACTENC3";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    pieces: usize,
    dim: usize,
    rows: usize,
    scale: Vec<f32>,
    offset: Vec<f32>,
    epsilon: f32,
    tensors: Vec<Tensor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    /// Of a matrix: what one step is worth, a column.
    steps: Option<Vec<f32>>,
}

/// A projection to [`WIDTH`], then a convolution over a token and its neighbours, twice, each with
/// what went in added.
struct Branch {
    before: usize,
    projection: Layer,
    first: Convolution,
    second: Convolution,
}

/// What a token is to each of the places around it: [`WIDTH`] outputs a place, one place after the
/// other. So a token is rounded and multiplied once, by its own scale, and not once a place.
struct Convolution {
    places: Matrix,
    bias: Vec<f32>,
}

/// What the encoder makes of a text. Wiped on drop.
pub struct Encoded {
    /// [`DIM`] numbers of length one: the text as a whole.
    pub vector: Vec<f32>,
    /// Log-odds of the subjects, to be added to those of the vector: what attention found.
    pub evidence: [f32; VALUES],
    /// [`GIST`] numbers: the mean of the tokens that count for the leaves.
    pub gist: Vec<f32>,
}

impl Drop for Encoded {
    fn drop(&mut self) {
        self.vector.zeroize();
        self.evidence.zeroize();
        self.gist.zeroize();
    }
}

/// A loaded encoder.
pub struct Encoder {
    tokens: SentencePiece,
    table: Vec<u8>,
    scale: Vec<f32>,
    offset: Vec<f32>,
    epsilon: f32,
    branches: Vec<Branch>,
    projection_norm: (Vec<f32>, Vec<f32>),
    norm: (Vec<f32>, Vec<f32>),
    gather: Layer,
    dense: [Matrix; 6],
    /// To [`QUERIES`] and [`VALUES`].
    attention: Layer,
}

impl Encoder {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not whole, or its parts do not fit each other.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(LoadError::Magic)?;
        let (packed, hash) = body.split_last_chunk::<32>().ok_or(LoadError::Damaged)?;
        if blake3::hash(&bytes[..bytes.len() - 32]).as_bytes() != hash {
            return Err(LoadError::Damaged);
        }
        let mut stream = Vec::new();
        flate2::read::ZlibDecoder::new(packed)
            .read_to_end(&mut stream)
            .map_err(|_| LoadError::Damaged)?;
        let mut rest = &stream[..];
        let header: Header = serde_json::from_slice(counted(&mut rest)?)
            .map_err(|error| LoadError::Header(error.to_string()))?;
        let fits = header.dim == DIM
            && header.scale.len() == header.offset.len()
            && !header.scale.is_empty()
            && (1..1 << 20).contains(&header.rows)
            && header.pieces <= header.rows;
        if !fits {
            return Err(LoadError::Header("its sizes are not those of the encoder".to_owned()));
        }
        let pieces = std::str::from_utf8(counted(&mut rest)?)
            .map_err(|_| LoadError::Header("the pieces are not UTF-8".to_owned()))?;
        let scores = floats(take(&mut rest, 4 * header.pieces)?);
        let tokens = SentencePiece::new(pieces, scores, counted(&mut rest)?)
            .ok_or_else(|| LoadError::Header("its pieces do not fit".to_owned()))?;
        let mut tensors = Tensors::read(&header.tensors, &mut rest)?;
        let table = take(&mut rest, header.rows * DIM)?.to_vec();
        let mut branches = Vec::new();
        let mut projection_norm = (Vec::new(), Vec::new());
        for (order, before) in ORDERS {
            let projection = Layer {
                matrix: tensors.matrix(&format!("proj{order}"), DIM, WIDTH)?,
                bias: tensors.vector(&format!("proj_b{order}"), WIDTH)?,
            };
            let mut convolution = |layer| {
                Ok(Convolution {
                    places: tensors.places(&format!("w{layer}_{order}"), order)?,
                    bias: tensors.vector(&format!("b{layer}_{order}"), WIDTH)?,
                })
            };
            let (first, second) = (convolution(1)?, convolution(2)?);
            branches.push(Branch { before, projection, first, second });
            projection_norm.0.extend(tensors.vector(&format!("ln_g{order}"), WIDTH)?);
            projection_norm.1.extend(tensors.vector(&format!("ln_b{order}"), WIDTH)?);
        }
        Ok(Self {
            branches,
            projection_norm,
            norm: (tensors.vector("ln_g", FEATURES)?, tensors.vector("ln_b", FEATURES)?),
            gather: Layer {
                matrix: tensors.matrix("cnn_W", FEATURES, DIM)?,
                bias: tensors.vector("cnn_b", DIM)?,
            },
            dense: [
                tensors.matrix("d0", DIM, HIDDEN)?,
                tensors.matrix("p1", DIM, HIDDEN)?,
                tensors.matrix("d1", HIDDEN, HIDDEN)?,
                tensors.matrix("d2", HIDDEN, DIM)?,
                tensors.matrix("p3", HIDDEN, DIM)?,
                tensors.matrix("d3", DIM, DIM)?,
            ],
            attention: Layer {
                matrix: tensors.matrix("attention", FEATURES, QUERIES + VALUES)?,
                bias: tensors.vector("attention_b", QUERIES + VALUES)?,
            },
            tokens,
            table,
            scale: header.scale,
            offset: header.offset,
            epsilon: header.epsilon,
        })
    }

    /// The tokens of a text, for tests and for the bench.
    pub fn tokens(&self, text: &str) -> Vec<Piece> {
        self.tokens.tokens(text)
    }

    /// What there is in a text.
    pub fn encode(&self, text: &str) -> Encoded {
        let mut tokens = self.tokens.tokens(text);
        tokens.truncate(LONGEST);
        let features = self.features(&tokens);
        let (evidence, gist) = self.attend(&features);
        Encoded { vector: self.vector(&features), evidence, gist }
    }

    /// Attention over the tokens (Bahdanau et al. 2015): the softmax of a query over the tokens is
    /// what each counts.
    fn attend(&self, features: &[f32]) -> ([f32; VALUES], Vec<f32>) {
        let looks = self.attention.apply(features);
        let shares: [Vec<f32>; QUERIES] = std::array::from_fn(|query| {
            softmax(looks.chunks_exact(QUERIES + VALUES).map(|token| token[query]))
        });
        let mut evidence = [0.0; VALUES];
        for (subject, found) in evidence.iter_mut().enumerate() {
            let values = looks.chunks_exact(QUERIES + VALUES).map(|token| token[QUERIES + subject]);
            *found = values.zip(&shares[subject]).map(|(value, share)| value * share).sum();
        }
        let mut gist = vec![0.0; GIST];
        mean(features, &shares[QUERIES - 1], &mut gist);
        (evidence, gist)
    }

    fn vector(&self, features: &[f32]) -> Vec<f32> {
        let count = (features.len() / FEATURES) as f32;
        let mut sum = vec![0.0; FEATURES];
        for row in features.chunks_exact(FEATURES) {
            add(&mut sum, row);
        }
        let mut mean = self.gather.matrix.times(&sum);
        for (value, bias) in mean.iter_mut().zip(&self.gather.bias) {
            *value = (*value + bias * count) / count.sqrt();
        }
        let [d0, p1, d1, d2, p3, d3] = &self.dense;
        let rectified = |mut x: Vec<f32>| {
            x.iter_mut().for_each(|value| *value = value.max(0.0));
            x
        };
        let plus = |mut a: Vec<f32>, b: Vec<f32>| {
            add(&mut a, &b);
            a
        };
        let first = rectified(d0.times(&mean));
        let second = rectified(plus(p1.times(&mean), d1.times(&first)));
        let third = rectified(d2.times(&second));
        let mut vector = plus(p3.times(&second), d3.times(&third));
        vector.iter_mut().for_each(|value| *value = value.tanh());
        let length = vector.iter().map(|v| v * v).sum::<f32>().max(self.epsilon).sqrt();
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    }

    /// Of every token, [`FEATURES`] numbers: its own vector beside what the convolutions make of it.
    fn features(&self, tokens: &[Piece]) -> Vec<f32> {
        let count = tokens.len();
        let mut own = vec![0.0; count * DIM];
        for (row, token) in own.chunks_exact_mut(DIM).zip(tokens) {
            let token = *token as usize;
            let chunk = token % self.scale.len();
            let (scale, offset) = (self.scale[chunk], self.offset[chunk]);
            let entries = self.table.get(token * DIM..(token + 1) * DIM).unwrap_or_default();
            for (value, entry) in row.iter_mut().zip(entries) {
                *value = f32::from(*entry) * scale + offset;
            }
        }
        let wide = self.branches.len() * WIDTH;
        let mut projected = vec![0.0; count * wide];
        let rounded = Rows::new(&own, DIM);
        for (at, branch) in self.branches.iter().enumerate() {
            place(&mut projected, wide, at * WIDTH, &branch.projection.apply_rounded(&rounded));
        }
        let (gain, bias) = &self.projection_norm;
        normalise(&mut projected, wide, gain, bias, self.epsilon);
        let mut features = vec![0.0; count * FEATURES];
        place_rows(&mut features, FEATURES, 0, &own, DIM);
        for (at, branch) in self.branches.iter().enumerate() {
            let mut x = Vec::with_capacity(count * WIDTH);
            for row in projected.chunks_exact(wide) {
                x.extend_from_slice(&row[at * WIDTH..(at + 1) * WIDTH]);
            }
            let once = branch.convolve(&branch.first, &x);
            let twice = branch.convolve(&branch.second, &once);
            place(&mut features, FEATURES, DIM + at * WIDTH, &twice);
        }
        let (gain, bias) = &self.norm;
        normalise(&mut features, FEATURES, gain, bias, self.epsilon);
        features
    }
}

impl Branch {
    fn convolve(&self, layer: &Convolution, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        gather(
            &layer.places.times(x),
            layer.places.outputs(),
            self.before,
            &layer.bias,
            x,
            &mut out,
        );
        out
    }
}

/// Sums what every token is to the places around it. Beyond the ends of the text stands nothing.
#[autoversion]
fn gather(
    to_places: &[f32],
    width: usize,
    before: usize,
    bias: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    let count = out.len() / WIDTH;
    for (at, (out, x)) in out.chunks_exact_mut(WIDTH).zip(x.chunks_exact(WIDTH)).enumerate() {
        out.copy_from_slice(bias);
        for place in 0..width / WIDTH {
            if let Some(token) = (at + place).checked_sub(before)
                && token < count
            {
                let from = token * width + place * WIDTH;
                out.iter_mut()
                    .zip(&to_places[from..from + WIDTH])
                    .for_each(|(out, part)| *out += part);
            }
        }
        out.iter_mut().zip(x).for_each(|(value, x)| *value = value.max(0.0) + x);
    }
}

fn softmax(values: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
    let greatest = values.clone().fold(f32::NEG_INFINITY, f32::max);
    let mut shares: Vec<f32> = values.map(|value| (value - greatest).exp()).collect();
    let sum: f32 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// The mean of rows, each counting its share.
#[autoversion]
fn mean(rows: &[f32], shares: &[f32], out: &mut [f32]) {
    for (row, share) in rows.chunks_exact(out.len()).zip(shares) {
        out.iter_mut().zip(row).for_each(|(out, value)| *out += value * share);
    }
}

fn add(a: &mut [f32], b: &[f32]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
}

/// Puts rows of [`WIDTH`] into wider ones, from a column on.
fn place(wide: &mut [f32], width: usize, from: usize, rows: &[f32]) {
    place_rows(wide, width, from, rows, WIDTH);
}

fn place_rows(wide: &mut [f32], width: usize, from: usize, rows: &[f32], narrow: usize) {
    for (wide, row) in wide.chunks_exact_mut(width).zip(rows.chunks_exact(narrow)) {
        wide[from..from + narrow].copy_from_slice(row);
    }
}

/// Brings every row to mean 0 and deviation 1, then scales and shifts it (Ba et al. 2016).
#[autoversion]
fn normalise(x: &mut [f32], width: usize, gain: &[f32], bias: &[f32], epsilon: f32) {
    for row in x.chunks_exact_mut(width) {
        let mean = lanes(row, |value| value) / width as f32;
        let variance = lanes(row, |value| (value - mean) * (value - mean)) / width as f32;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for ((value, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
            *value = (*value - mean) * factor * gain + bias;
        }
    }
}

/// A sum in a fixed order, sixteen side by side.
#[inline(always)]
fn lanes(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 16];
    for part in row.as_chunks::<16>().0 {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += of(*value);
        }
    }
    sums.iter().sum()
}

/// The tensors of a file, by name.
#[derive(Default)]
struct Tensors {
    vectors: BTreeMap<String, Vec<f32>>,
    matrices: BTreeMap<String, Whole>,
}

/// A matrix in whole steps, output by output.
struct Whole {
    shape: [usize; 2],
    weights: Vec<i8>,
    steps: Vec<f32>,
}

impl Tensors {
    fn read(list: &[Tensor], rest: &mut &[u8]) -> Result<Self, LoadError> {
        let mut tensors = Self::default();
        for Tensor { name, shape, steps } in list {
            match (&shape[..], steps) {
                ([length @ 0..65_536], None) => {
                    tensors.vectors.insert(name.clone(), floats(take(rest, 4 * length)?));
                }
                ([rows @ 1..65_536, columns @ 1..65_536], Some(steps))
                    if steps.len() == *columns =>
                {
                    let weights = signed(take(rest, rows * columns)?);
                    let (shape, steps) = ([*rows, *columns], steps.clone());
                    tensors.matrices.insert(name.clone(), Whole { shape, weights, steps });
                }
                _ => return Err(LoadError::Header(format!("the tensor {name} does not fit"))),
            }
        }
        Ok(tensors)
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let found = self.vectors.remove(name).filter(|entries| entries.len() == length);
        found.ok_or_else(|| LoadError::Header(format!("the tensor {name} is missing")))
    }

    fn whole(&mut self, name: &str, rows: usize, columns: usize) -> Result<Whole, LoadError> {
        let found = self.matrices.remove(name).filter(|whole| whole.shape == [rows, columns]);
        found.ok_or_else(|| LoadError::Header(format!("the tensor {name} is missing")))
    }

    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Matrix, LoadError> {
        let Whole { weights, steps, .. } = self.whole(name, rows, columns)?;
        Ok(Matrix::new(&weights, rows, steps))
    }

    /// The matrix of a convolution over so many tokens, as [`Convolution`] has it.
    fn places(&mut self, name: &str, order: usize) -> Result<Matrix, LoadError> {
        let Whole { weights, steps, .. } = self.whole(name, order * WIDTH, WIDTH)?;
        let mut places = Vec::with_capacity(weights.len());
        for place in 0..order {
            for output in weights.chunks_exact(order * WIDTH) {
                places.extend_from_slice(&output[place * WIDTH..(place + 1) * WIDTH]);
            }
        }
        Ok(Matrix::new(&places, WIDTH, steps.repeat(order)))
    }
}
