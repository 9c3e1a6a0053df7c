//! The sentence encoder that the doubtful turns are asked of: the tokens and their vectors of
//! USE-multilingual-v3 (Yang et al. 2019, "Multilingual Universal Sentence Encoder for Semantic
//! Retrieval") and its convolutions through a narrow waist, trained on what was labelled and on what
//! the whole encoder says, and packed by `training/judge.py`. Every token's vector, and what three
//! convolutions make of it with its neighbours, are summed over the text and brought to one vector.
//! Beside it stands attention of our own, since a few words in a long text drown in the sum: of
//! each subject, where in the text to look and what is found there.
//!
//! What a token is before its neighbours are looked at does not depend on the text. Of the tokens
//! that come often it is worked out once, when the file is read.

use crate::matrix::{Layer, Matrix, Rows};
use crate::sentencepiece::{Piece, SentencePiece};
use crate::weights::{LoadError, counted, floats, signed, take};
use archmage::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use zeroize::Zeroize;

/// Length of a text's vector.
pub const VECTOR: usize = 320;

/// Length of a gist.
pub const GIST: usize = 128;

/// Length of a token's vector.
const DIM: usize = 512;

/// Width of one convolution, and of its waist.
const WIDTH: usize = 256;
const WAIST: usize = 128;

/// Of each convolution: how many neighbours it sees, and how many of them stand before.
const ORDERS: [(usize, usize); 3] = [(2, 0), (3, 1), (5, 2)];

/// Width of all convolutions.
const WIDE: usize = ORDERS.len() * WIDTH;

/// What a token is to the places around it, in all convolutions.
const PLACES: usize = (ORDERS[0].0 + ORDERS[1].0 + ORDERS[2].0) * WAIST;

/// What a token is before its neighbours are looked at: what goes into the convolutions, and what
/// their first layer makes of it for the places around it.
const ALONE: usize = WIDE + PLACES;

/// Numbers a token: its own vector, and three convolutions.
const FEATURES: usize = DIM + WIDE;

/// Attention looks once for each subject, and once for the leaves.
const QUERIES: usize = 8;

/// What it finds of each subject.
const VALUES: usize = 7;

/// More tokens than this say nothing more about a text; the rest is not looked at.
const LONGEST: usize = 256;

/// Vectors shorter than this are not made longer.
const SHORTEST: f32 = 1e-6;

const MAGIC: &[u8; 8] = b"TACTENC4";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    pieces: usize,
    dim: usize,
    rows: usize,
    scale: Vec<f32>,
    offset: Vec<f32>,
    epsilon: f32,
    /// Tokens that come often.
    often: Vec<Piece>,
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

/// A convolution over a token and its neighbours, twice, each with what went in added.
struct Branch {
    before: usize,
    first: Convolution,
    second: Convolution,
}

/// Through the waist: what a token is to each of the places around it, [`WAIST`] numbers a place, is
/// summed a place and brought to [`WIDTH`]. So a token is multiplied once and not once a place.
struct Convolution {
    places: Matrix,
    out: Layer,
}

/// What the encoder makes of a text. Wiped on drop.
pub struct Encoded {
    /// [`VECTOR`] numbers of length one: the text as a whole.
    pub vector: Vec<f32>,
    /// Log-odds of the subjects, to be added to those of the vector: what attention found.
    pub evidence: [f32; VALUES],
    /// [`GIST`] numbers: what the tokens are that count for the leaves.
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
    /// From a token's vector to what goes into the convolutions.
    projections: Vec<Layer>,
    projection_norm: (Vec<f32>, Vec<f32>),
    branches: Vec<Branch>,
    norm: (Vec<f32>, Vec<f32>),
    /// To a hidden layer, and past it; from it, what is added to what went past.
    gather: Layer,
    dense: Matrix,
    gist: Matrix,
    /// [`ALONE`] numbers a token that comes often, and the place of each token's, from 1 on.
    often: Vec<f32>,
    place_of: Vec<u16>,
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
            && header.pieces <= header.rows
            && header.often.len() <= usize::from(u16::MAX);
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
        let (mut projections, mut branches) = (Vec::new(), Vec::new());
        let mut projection_norm = (Vec::new(), Vec::new());
        for (order, before) in ORDERS {
            projections.push(Layer {
                matrix: tensors.matrix(&format!("proj{order}"), DIM, WIDTH)?,
                bias: tensors.vector(&format!("proj_b{order}"), WIDTH)?,
            });
            let mut convolution = |layer| {
                Ok(Convolution {
                    places: tensors.matrix(&format!("in{layer}_{order}"), WIDTH, order * WAIST)?,
                    out: Layer {
                        matrix: tensors.matrix(&format!("out{layer}_{order}"), WAIST, WIDTH)?,
                        bias: tensors.vector(&format!("b{layer}_{order}"), WIDTH)?,
                    },
                })
            };
            let (first, second) = (convolution(1)?, convolution(2)?);
            branches.push(Branch { before, first, second });
            projection_norm.0.extend(tensors.vector(&format!("ln_g{order}"), WIDTH)?);
            projection_norm.1.extend(tensors.vector(&format!("ln_b{order}"), WIDTH)?);
        }
        let mut encoder = Self {
            projections,
            projection_norm,
            branches,
            norm: (tensors.vector("ln_g", FEATURES)?, tensors.vector("ln_b", FEATURES)?),
            gather: Layer {
                matrix: tensors.matrix("gather", FEATURES, 2 * VECTOR)?,
                bias: tensors.vector("gather_b", 2 * VECTOR)?,
            },
            dense: tensors.matrix("dense", VECTOR, VECTOR)?,
            gist: tensors.matrix("gist", FEATURES, GIST)?,
            attention: Layer {
                matrix: tensors.matrix("attention", FEATURES, QUERIES + VALUES)?,
                bias: tensors.vector("attention_b", QUERIES + VALUES)?,
            },
            often: Vec::new(),
            place_of: vec![0; header.rows],
            tokens,
            table,
            scale: header.scale,
            offset: header.offset,
            epsilon: header.epsilon,
        };
        encoder.remember(&header.often)?;
        Ok(encoder)
    }

    /// Works out what the tokens are that come often.
    fn remember(&mut self, often: &[Piece]) -> Result<(), LoadError> {
        for (token, place) in often.iter().zip(1..=u16::MAX) {
            let of_token = self.place_of.get_mut(*token as usize);
            *of_token.ok_or_else(|| LoadError::Header("it lists unknown tokens".to_owned()))? =
                place;
        }
        for tokens in often.chunks(256) {
            let alone = self.alone(tokens);
            self.often.extend(alone);
        }
        Ok(())
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
        let mut counting = vec![0.0; FEATURES];
        mean(features, &shares[QUERIES - 1], &mut counting);
        (evidence, self.gist.times(&counting))
    }

    fn vector(&self, features: &[f32]) -> Vec<f32> {
        let root = ((features.len() / FEATURES) as f32).sqrt();
        let mut sum = vec![0.0; FEATURES];
        for row in features.chunks_exact(FEATURES) {
            add(&mut sum, row);
        }
        sum.iter_mut().for_each(|value| *value /= root);
        let mut first = self.gather.matrix.times(&sum);
        first.iter_mut().zip(&self.gather.bias).for_each(|(value, bias)| *value += bias * root);
        let mut vector = first.split_off(VECTOR);
        first.iter_mut().for_each(|value| *value = value.max(0.0));
        add(&mut vector, &self.dense.times(&first));
        vector.iter_mut().for_each(|value| *value = value.max(0.0));
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(SHORTEST);
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    }

    /// A token's own vector.
    fn own(&self, token: Piece) -> impl Iterator<Item = f32> + '_ {
        let token = token as usize;
        let chunk = token % self.scale.len();
        let (scale, offset) = (self.scale[chunk], self.offset[chunk]);
        let steps = self.table.get(token * DIM..(token + 1) * DIM).unwrap_or(&[0; DIM]);
        steps.iter().map(move |step| f32::from(*step) * scale + offset)
    }

    /// [`ALONE`] numbers a token.
    fn alone(&self, tokens: &[Piece]) -> Vec<f32> {
        let own: Vec<f32> = tokens.iter().flat_map(|token| self.own(*token)).collect();
        let rounded = Rows::new(&own, DIM);
        let mut projected = vec![0.0; tokens.len() * WIDE];
        for (at, projection) in self.projections.iter().enumerate() {
            place(&mut projected, WIDE, at * WIDTH, &projection.apply_rounded(&rounded), WIDTH);
        }
        let (gain, bias) = &self.projection_norm;
        normalise(&mut projected, WIDE, gain, bias, self.epsilon);
        let mut alone = vec![0.0; tokens.len() * ALONE];
        place(&mut alone, ALONE, 0, &projected, WIDE);
        let mut from = WIDE;
        for (at, branch) in self.branches.iter().enumerate() {
            let x = Rows::of_columns(&projected, WIDE, at * WIDTH, WIDTH);
            let places = branch.first.places.times_rounded(&x);
            let width = branch.first.places.outputs();
            place(&mut alone, ALONE, from, &places, width);
            from += width;
        }
        alone
    }

    /// Of every token, [`FEATURES`] numbers: its own vector beside what the convolutions make of it.
    fn features(&self, tokens: &[Piece]) -> Vec<f32> {
        let place_of =
            |token: Piece| self.place_of.get(token as usize).map_or(0, |place| usize::from(*place));
        let rare: Vec<Piece> =
            tokens.iter().copied().filter(|token| place_of(*token) == 0).collect();
        let rare = self.alone(&rare);
        let mut rare = rare.chunks_exact(ALONE);
        let alone: Vec<&[f32]> = tokens
            .iter()
            .map(|token| match place_of(*token) {
                0 => rare.next().unwrap_or_default(),
                place => &self.often[(place - 1) * ALONE..place * ALONE],
            })
            .collect();
        let mut features = Vec::with_capacity(tokens.len() * FEATURES);
        for (token, alone) in tokens.iter().zip(&alone) {
            features.extend(self.own(*token));
            features.extend_from_slice(&alone[..WIDE]);
        }
        let mut from = WIDE;
        for (at, Branch { before, first, second }) in self.branches.iter().enumerate() {
            let (column, width) = (DIM + at * WIDTH, first.places.outputs());
            let to: Vec<&[f32]> = alone.iter().map(|row| &row[from..from + width]).collect();
            first.add(&to, *before, &mut features, column);
            let x = Rows::of_columns(&features, FEATURES, column, WIDTH);
            let to = second.places.times_rounded(&x);
            let to: Vec<&[f32]> = to.chunks_exact(width).collect();
            second.add(&to, *before, &mut features, column);
            from += width;
        }
        let (gain, bias) = &self.norm;
        normalise(&mut features, FEATURES, gain, bias, self.epsilon);
        features
    }
}

impl Convolution {
    /// Adds to every token what its neighbours are to it, from a column of its features on.
    fn add(&self, to_places: &[&[f32]], before: usize, features: &mut [f32], column: usize) {
        let mut waist = vec![0.0; to_places.len() * WAIST];
        gather(to_places, before, &mut waist);
        rectify_and_add(&self.out.apply(&waist), features, column);
    }
}

/// Sums what every token is to the places around it. Beyond the ends of the text stands nothing.
#[autoversion]
fn gather(to_places: &[&[f32]], before: usize, out: &mut [f32]) {
    for (at, out) in out.chunks_exact_mut(WAIST).enumerate() {
        let places = to_places.first().map_or(0, |token| token.len() / WAIST);
        for place in 0..places {
            if let Some(token) = (at + place).checked_sub(before).and_then(|at| to_places.get(at)) {
                let part = &token[place * WAIST..(place + 1) * WAIST];
                out.iter_mut().zip(part).for_each(|(out, part)| *out += part);
            }
        }
    }
}

#[autoversion]
fn rectify_and_add(from: &[f32], features: &mut [f32], column: usize) {
    for (row, from) in features.chunks_exact_mut(FEATURES).zip(from.chunks_exact(WIDTH)) {
        let row = &mut row[column..column + WIDTH];
        row.iter_mut().zip(from).for_each(|(to, from)| *to += from.max(0.0));
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

/// Puts rows of `narrow` numbers into wider ones, from a column on.
fn place(wide: &mut [f32], width: usize, from: usize, rows: &[f32], narrow: usize) {
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
}
