//! The fast path: a text is the sum of its tokens' rows in a table, brought to length one (as in
//! model2vec, but trained), through a hidden layer; hashed words and pairs of words stand beside
//! it for the subjects. It learned what the judge says of many texts.

use crate::language::Shape;
use crate::matrix::Rows;
use crate::ngrams::bucket;
use crate::weights::Weights;
use crate::wordpiece::{Token, WordPiece, words};
use archmage::prelude::*;
use std::cell::OnceCell;
use zeroize::{Zeroize, Zeroizing};

/// The vocabulary of the table.
pub struct Fast {
    wordpiece: WordPiece,
}

/// What the fast path makes of a text. Wiped on drop.
pub struct Glance {
    /// How many words it has, and how many of them are known.
    pub shape: Shape,
    /// Log-odds of the subjects.
    pub subjects: [f32; 7],
    /// The hidden layer, for the leaves and the stages.
    hidden: Vec<f32>,
    /// Log-odds of the leaves, once somebody wanted them.
    leaves: OnceCell<Vec<f32>>,
}

impl Fast {
    /// Takes the vocabulary of a model's file. `None` when it is none.
    pub fn new(weights: &Weights) -> Option<Self> {
        Some(Self { wordpiece: WordPiece::new(&weights.vocabulary)? })
    }

    /// Tokens of a text, for tests and benches.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        words(text, |word| self.wordpiece.tokens(word, &mut tokens));
        tokens
    }

    /// Reads a text in its normal form.
    pub fn glance(&self, weights: &Weights, text: &str) -> Glance {
        let header = &weights.header;
        let mut shape = Shape::default();
        let mut tokens: Zeroizing<Vec<Token>> = Zeroizing::new(Vec::with_capacity(64));
        let mut before: Zeroizing<String> = Zeroizing::new(String::with_capacity(32));
        let (mut sums, mut grams) = ([0i32; 7], 0u32);
        let mut add = |bucket: usize| {
            grams += 1;
            let row = &weights.hashed[bucket * 8..bucket * 8 + 8];
            sums.iter_mut().zip(row).for_each(|(sum, step)| *sum += i32::from(*step));
        };
        words(text, |word| {
            let so_far = tokens.len();
            self.wordpiece.tokens(word, &mut tokens);
            if !word.starts_with(char::is_alphanumeric) {
                return;
            }
            if word.starts_with(char::is_alphabetic) {
                shape.words += 1;
                let is_known = tokens.last() != Some(&self.wordpiece.unknown());
                shape.whole += usize::from(tokens.len() == so_far + 1 && is_known);
            }
            add(bucket(word, None, header.buckets));
            if !before.is_empty() {
                add(bucket(&before, Some(word), header.buckets));
            }
            before.clear();
            before.push_str(word);
        });
        if tokens.is_empty() {
            tokens.push(self.wordpiece.unknown());
        } else {
            shape.tokens = tokens.len();
            let unknown = tokens.iter().filter(|token| **token == self.wordpiece.unknown());
            shape.unknown = unknown.count();
        }
        shape.runs = text.split_whitespace().count();
        let vector = Zeroizing::new(self.sum(weights, &tokens));
        let rows = Rows::new(&vector, header.dim);
        let mut hidden = weights.hidden.apply_rounded(&rows);
        hidden.iter_mut().for_each(|value| *value = value.max(0.0));
        let mut subjects = [0.0; 7];
        let root = (grams.max(1) as f32).sqrt();
        let own = weights.fast.subjects.apply(&hidden);
        let direct = weights.direct.apply_rounded(&rows);
        for (at, odds) in subjects.iter_mut().enumerate() {
            *odds = own[at] + direct[at] + sums[at] as f32 * header.hashed_steps[at] / root;
        }
        Glance { shape, subjects, hidden, leaves: OnceCell::new() }
    }

    /// The sum of the tokens' rows, brought to length one.
    fn sum(&self, weights: &Weights, tokens: &[Token]) -> Vec<f32> {
        let dim = weights.header.dim;
        let mut sums = vec![0i32; dim];
        gather(&weights.table, tokens, &mut sums);
        // Whole numbers, so the order of the sum is nothing to the length.
        let squares: i64 = sums.iter().map(|sum| i64::from(*sum) * i64::from(*sum)).sum();
        let length = (squares.max(1) as f32).sqrt();
        sums.iter().map(|sum| *sum as f32 / length).collect()
    }
}

/// Adds up the rows of the tokens.
#[autoversion]
fn gather(table: &[i8], tokens: &[Token], sums: &mut [i32]) {
    for token in tokens {
        let row = &table[*token as usize * sums.len()..][..sums.len()];
        sums.iter_mut().zip(row).for_each(|(sum, step)| *sum += i32::from(*step));
    }
}

impl Glance {
    /// Log-odds of the leaves, the last of none.
    pub fn leaves(&self, weights: &Weights) -> &[f32] {
        self.leaves.get_or_init(|| weights.fast.leaves.apply(&self.hidden))
    }

    /// Log-odds of the stages.
    pub fn stages(&self, weights: &Weights) -> Vec<f32> {
        weights.fast.stages.apply(&self.hidden)
    }
}

impl Drop for Glance {
    fn drop(&mut self) {
        self.hidden.zeroize();
        if let Some(leaves) = self.leaves.get_mut() {
            leaves.zeroize();
        }
        self.subjects.zeroize();
    }
}
