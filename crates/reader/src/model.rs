//! The model: from tokens to subjects and interests.
//!
//! A text is the mean of its tokens' rows in a table that was made to imitate a sentence encoder
//! (as in model2vec, then trained on sentences), brought to length one. A subject is a logistic of
//! that vector and of the hashed n-grams; a leaf is the cosine to its own vector, in deviations
//! from what texts of all kinds have.

use crate::language::{self, Shape};
use crate::ngrams::bucket;
use crate::weights::{LoadError, Weights};
use crate::wordpiece::{Token, WordPiece, words};
use std::collections::HashSet;
use tactful_core::chat::Role;
use tactful_core::gate::Spoken;
use tactful_core::reading::{
    Finding, Judgement, Level, ModelId, Reader, Reading, Stage, Subject, Unjudged, Weight,
};
use tactful_core::taxonomy::{Interest, Taxonomy};
use zeroize::{Zeroize, Zeroizing};

/// The model of this build.
const SHIPPED: &[u8] = include_bytes!("../../../models/tactful-en.bin");

/// Interests that one turn gives, at most.
const MOST_INTERESTS: usize = 2;

/// A turn of fewer words is judged together with the messages before it: "what about my case?"
const LEANS_ON_CONTEXT: usize = 6;

/// A loaded model.
pub struct Model {
    weights: Weights,
    wordpiece: WordPiece,
    buying: HashSet<String>,
    doing: HashSet<String>,
}

/// A text on its way through the model. Wiped on drop.
struct Text {
    shape: Shape,
    vector: Vec<f32>,
    /// The sum of the hashed weights, a subject, already divided by the root of their number.
    hashed: [f32; 7],
    buying: bool,
    doing: bool,
}

impl Model {
    /// The model that is shipped.
    ///
    /// # Errors
    /// When this build's file is not whole, or was made for another taxonomy.
    pub fn shipped(taxonomy: &Taxonomy) -> Result<Self, LoadError> {
        Self::load(SHIPPED, taxonomy)
    }

    /// Loads a model's file.
    ///
    /// # Errors
    /// When it is not whole, or was made for another taxonomy.
    pub fn load(bytes: &[u8], taxonomy: &Taxonomy) -> Result<Self, LoadError> {
        let weights = Weights::load(bytes)?;
        let theirs = taxonomy.leaves().iter().map(|leaf| &leaf.id);
        if let Some(differs) = theirs.clone().zip(&weights.header.leaves).position(|(a, b)| a != b)
        {
            return Err(LoadError::Taxonomy(differs));
        }
        if theirs.len() != weights.header.leaves.len() {
            return Err(LoadError::Taxonomy(theirs.len().min(weights.header.leaves.len())));
        }
        let wordpiece = WordPiece::new(&weights.vocabulary)
            .ok_or_else(|| LoadError::Header("the vocabulary has no [UNK]".to_owned()))?;
        let cues = |list: &[String]| list.iter().cloned().collect();
        let (buying, doing) = (cues(&weights.header.buying), cues(&weights.header.doing));
        Ok(Self { weights, wordpiece, buying, doing })
    }

    /// Tokens of a text, for tests and benches.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        words(text, |word| self.wordpiece.tokens(word, &mut tokens));
        tokens
    }

    fn text(&self, text: &str) -> Text {
        let header = &self.weights.header;
        let mut tokens: Zeroizing<Vec<Token>> = Zeroizing::new(Vec::with_capacity(64));
        let mut before: Zeroizing<String> = Zeroizing::default();
        let mut out = Text {
            shape: Shape::default(),
            vector: vec![0.0; header.dim],
            hashed: [0.0; 7],
            buying: false,
            doing: false,
        };
        let mut features = 0u32;
        words(text, |word| {
            self.wordpiece.tokens(word, &mut tokens);
            if !word.starts_with(char::is_alphanumeric) {
                return;
            }
            if word.starts_with(char::is_alphabetic) {
                out.shape.words += 1;
                out.shape.whole += usize::from(self.wordpiece.is_whole(word));
            }
            out.buying |= self.buying.contains(word);
            out.doing |= self.doing.contains(word);
            features += 1;
            self.add_hashed(bucket(word, None, header.buckets), &mut out.hashed);
            if !before.is_empty() {
                features += 1;
                self.add_hashed(bucket(&before, Some(word), header.buckets), &mut out.hashed);
            }
            before.zeroize();
            before.push_str(word);
        });
        for token in tokens.iter() {
            out.shape.unknown += usize::from(*token == self.wordpiece.unknown());
            let row = *token as usize * header.dim;
            for (sum, step) in out.vector.iter_mut().zip(&self.weights.table[row..]) {
                *sum += f32::from(*step);
            }
        }
        out.shape.tokens = tokens.len();
        let length = out.vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            out.vector.iter_mut().for_each(|x| *x /= length);
        }
        let root = (features.max(1) as f32).sqrt();
        for (sum, scale) in out.hashed.iter_mut().zip(&header.hashed_scale) {
            *sum *= scale / root;
        }
        out
    }

    fn add_hashed(&self, bucket: usize, sums: &mut [f32; 7]) {
        let row = &self.weights.hashed[bucket * 8..];
        for (sum, step) in sums.iter_mut().zip(row) {
            *sum += f32::from(*step);
        }
    }

    fn subjects(&self, text: &Text) -> [Level; 7] {
        let header = &self.weights.header;
        let mut levels = [Level(0); 7];
        for (subject, level) in levels.iter_mut().enumerate() {
            let weights = &self.weights.dense[subject * header.dim..(subject + 1) * header.dim];
            let logit =
                header.subject_bias[subject] + dot(weights, &text.vector) + text.hashed[subject];
            *level = Level(thousandths(logistic(logit)));
        }
        levels
    }

    fn findings(&self, text: &Text) -> Vec<Finding> {
        let header = &self.weights.header;
        let stage = match (text.buying, text.doing) {
            (true, _) => Stage::Buying,
            (false, true) => Stage::Doing,
            (false, false) => Stage::Curious,
        };
        let z: Vec<f32> = self
            .weights
            .leaves
            .chunks_exact(header.dim)
            .zip(header.leaf_mean.iter().zip(&header.leaf_deviation))
            .map(|(vector, (mean, deviation))| (dot(vector, &text.vector) - mean) / deviation)
            .collect();
        let best = z.iter().copied().fold(f32::MIN, f32::max);
        let mut findings: Vec<Finding> = (0..)
            .zip(z)
            .filter(|(_, z)| *z >= best - header.leaf_margin)
            .filter_map(|(leaf, z)| {
                let weight = thousandths(logistic(header.leaf_slope * (z + header.leaf_offset)));
                (weight >= header.leaf_threshold.max(1)).then_some(Finding {
                    interest: Interest(leaf),
                    weight: Weight(weight),
                    stage,
                })
            })
            .collect();
        findings.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.interest.cmp(&b.interest)));
        findings.truncate(MOST_INTERESTS);
        findings
    }

    /// What the firewall hears in a text by itself.
    fn heard(&self, text: &str, levels: &mut [Level; 7]) -> Result<(), Unjudged> {
        let read = self.text(text);
        language::judge(text, read.shape)?;
        for (level, here) in levels.iter_mut().zip(self.subjects(&read)) {
            *level = here.max(*level);
        }
        Ok(())
    }

    /// Of the messages before: each of the person's own, and, for a turn that leans on them, the
    /// last two together with it. What cannot be judged in the person's own words shuts as if it
    /// were this turn; the assistant's words by themselves shut nothing.
    fn context(
        &self,
        spoken: &Spoken,
        leans: bool,
        levels: &mut [Level; 7],
    ) -> Result<(), Unjudged> {
        for (role, words) in spoken.context() {
            if role == Role::User {
                match self.heard(words, levels) {
                    Ok(()) | Err(Unjudged::Empty) => {}
                    Err(unjudged) => return Err(unjudged),
                }
            }
        }
        if leans {
            let mut joined: Zeroizing<String> = Zeroizing::default();
            let last: Vec<_> = spoken.context().rev().take(2).collect();
            for (_, words) in last.into_iter().rev() {
                joined.push_str(words);
                joined.push('\n');
            }
            joined.push_str(spoken.words());
            let read = self.text(&joined);
            for (level, here) in levels.iter_mut().zip(self.subjects(&read)) {
                *level = here.max(*level);
            }
        }
        Ok(())
    }

    fn judged(&self, spoken: &Spoken) -> Result<Judgement, Unjudged> {
        let text = self.text(spoken.words());
        language::judge(spoken.words(), text.shape)?;
        let mut subjects = self.subjects(&text);
        let leans = text.shape.words < LEANS_ON_CONTEXT;
        self.context(spoken, leans, &mut subjects)?;
        let mut touched = [false; 7];
        for (subject, touched) in touched.iter_mut().enumerate() {
            *touched = subjects[subject].0 >= self.weights.header.thresholds[subject];
        }
        Ok(Judgement { subjects, touched, findings: self.findings(&text) })
    }
}

impl Reader for Model {
    fn read(&self, spoken: &Spoken) -> Reading {
        let judged = self.judged(spoken);
        let language = match judged {
            Ok(_) => Some(language::ENGLISH),
            Err(Unjudged::Language) => language::detected(spoken.words()),
            Err(_) => None,
        };
        Reading { language, judged }
    }

    fn model(&self) -> ModelId {
        self.weights.id
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.vector.zeroize();
        self.hashed.zeroize();
    }
}

/// The subjects have fixed places in every array; the file's order is theirs.
const _: () = assert!(Subject::ALL.len() == 7);

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, so that the compiler can keep them in one register; their order is
    // fixed, so the result is the same everywhere.
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn thousandths(probability: f32) -> u16 {
    (probability * 1000.0).round().clamp(0.0, 1000.0) as u16
}
