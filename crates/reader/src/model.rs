//! The model: from tokens to subjects and interests.
//!
//! Two paths. The fast one, for English: a text is the sum of its tokens' rows in a table that was
//! made to imitate the sentence encoder (as in model2vec, then trained on sentences), brought to
//! length one; a subject is a logistic of that vector and of the hashed n-grams. What it is sure
//! of, it decides. The rest, and every other language that was measured, is judged by the encoder
//! itself (`encoder.rs`). A leaf is the cosine to its own vector, in deviations from what texts of
//! all kinds have.

use crate::encoder::Encoder;
use crate::language::{self, Shape};
use crate::ngrams::bucket;
use crate::weights::{Leaves, LoadError, Weights};
use crate::wordpiece::{Token, WordPiece, words};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use tactful_core::chat::Role;
use tactful_core::gate::Spoken;
use tactful_core::reading::{
    Finding, Judgement, Level, ModelId, Reader, Reading, Stage, Subject, Unjudged, Weight,
};
use tactful_core::taxonomy::{Interest, Taxonomy};
use zeroize::{Zeroize, Zeroizing};

/// The model of this build.
const SHIPPED: &[u8] = include_bytes!("../../../models/tactful.bin");

/// The sentence encoder of this build.
const ENCODER: &[u8] = include_bytes!("../../../models/use-multilingual-v3.bin");

/// Interests that one turn gives, at most.
const MOST_INTERESTS: usize = 3;

/// Of a text of which fewer words in a hundred are pieces of the English vocabulary, the fast path
/// decides nothing.
const KNOWN_TO_THE_FAST: usize = 75;

/// Texts whose hearing is remembered; past that all are forgotten.
const REMEMBERED: usize = 16_384;

/// A turn of fewer words is judged together with the messages before it: "what about my case?"
const LEANS_ON_CONTEXT: usize = 6;

/// A loaded model.
pub struct Model {
    weights: Weights,
    encoder: Encoder,
    wordpiece: WordPiece,
    buying: HashSet<String>,
    doing: HashSet<String>,
    /// What was heard lately in texts that were judged, by their hash: the messages of a
    /// conversation come again as the context of the next ones. In memory only.
    lately: Mutex<HashMap<[u8; 32], Heard>>,
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

/// What the firewall hears in one text.
#[derive(Clone, Copy)]
struct Heard {
    language: [u8; 2],
    levels: [Level; 7],
    touched: [bool; 7],
}

/// The encoder's vector of a text. Wiped on drop.
type Vector = Zeroizing<Vec<f32>>;

impl Model {
    /// The model that is shipped.
    ///
    /// # Errors
    /// When this build's file is not whole, or was made for another taxonomy.
    pub fn shipped(taxonomy: &Taxonomy) -> Result<Self, LoadError> {
        Self::load(SHIPPED, ENCODER, taxonomy)
    }

    /// Loads a model's file and its encoder's.
    ///
    /// # Errors
    /// When one is not whole, or was made for another taxonomy.
    pub fn load(bytes: &[u8], encoder: &[u8], taxonomy: &Taxonomy) -> Result<Self, LoadError> {
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
        let encoder = Encoder::load(encoder)?;
        let lately = Mutex::default();
        Ok(Self { weights, encoder, wordpiece, buying, doing, lately })
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
        out.shape.runs = text.split_whitespace().count();
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

    /// The fast path's opinion, in log-odds.
    fn guess(&self, text: &Text) -> [f32; 7] {
        let header = &self.weights.header;
        let mut odds = text.hashed;
        let vectors = self.weights.fast.chunks_exact(header.dim).zip(&header.fast_bias);
        for (odds, (weights, bias)) in odds.iter_mut().zip(vectors) {
            *odds += bias + dot(weights, &text.vector);
        }
        odds
    }

    /// The judge's opinion, in log-odds.
    fn judge(&self, vector: &[f32]) -> [f32; 7] {
        let header = &self.weights.header;
        let mut odds = [0.0; 7];
        let vectors = self.weights.judge.chunks_exact(header.wide).zip(&header.judge_bias);
        for (odds, (weights, bias)) in odds.iter_mut().zip(vectors) {
            *odds = bias + dot(weights, vector);
        }
        odds
    }

    /// What the firewall hears in a text that may have been heard before.
    fn hear_again(&self, words: &str) -> Result<Heard, Unjudged> {
        let hash = *blake3::hash(words.as_bytes()).as_bytes();
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        match lately {
            Some(heard) => Ok(heard),
            None => self.hear(words, &self.text(words)).map(|(heard, _)| heard),
        }
    }

    fn remember(&self, words: &str, heard: Heard) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.clear();
        }
        lately.insert(*blake3::hash(words.as_bytes()).as_bytes(), heard);
    }

    /// What the firewall hears in a text by itself, with the encoder's vector if it was asked.
    fn hear(&self, words: &str, text: &Text) -> Result<(Heard, Option<Vector>), Unjudged> {
        let header = &self.weights.header;
        let language = language::judge(words, text.shape, &header.languages)?;
        let english = language == language::ENGLISH;
        let guess = self.guess(text);
        if english && text.shape.known() >= KNOWN_TO_THE_FAST {
            let levels = guess.map(level);
            let greatest = levels.iter().max().map_or(0, |level| level.0);
            if greatest < header.clear || greatest >= header.stop {
                let touched = levels.map(|level| level.0 >= header.stop);
                return Ok((Heard { language, levels, touched }, None));
            }
        }
        let vector = Zeroizing::new(self.encoder.encode(words));
        let mut odds = self.judge(&vector);
        if english {
            // The two err in different places.
            for (odds, guess) in odds.iter_mut().zip(guess) {
                *odds = header.judge_share * *odds + (1.0 - header.judge_share) * guess;
            }
        }
        let levels = odds.map(level);
        let share = if english { 1.0 } else { header.elsewhere };
        let mut touched = [false; 7];
        for ((touched, level), threshold) in touched.iter_mut().zip(levels).zip(&header.thresholds)
        {
            *touched = f32::from(level.0) >= f32::from(*threshold) * share;
        }
        let heard = Heard { language, levels, touched };
        self.remember(words, heard);
        Ok((heard, Some(vector)))
    }

    /// Of the messages before: each of the person's own, and, for a turn that leans on them, the
    /// last two together with it. What cannot be judged in the person's own words shuts as if it
    /// were this turn; the assistant's words by themselves shut nothing.
    fn context(&self, spoken: &Spoken, leans: bool, heard: &mut Heard) -> Result<(), Unjudged> {
        let mut add = |other: Heard| {
            for (subject, level) in other.levels.into_iter().enumerate() {
                heard.levels[subject] = level.max(heard.levels[subject]);
                heard.touched[subject] |= other.touched[subject];
            }
        };
        for (role, words) in spoken.context() {
            if role == Role::User {
                match self.hear_again(words) {
                    Ok(other) => add(other),
                    Err(Unjudged::Empty) => {}
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
            if joined.is_empty() {
                return Ok(());
            }
            joined.push_str(spoken.words());
            // Each part was judged, or is the assistant's; together they may be of no one language.
            if let Ok((other, _)) = self.hear(&joined, &self.text(&joined)) {
                add(other);
            }
        }
        Ok(())
    }

    fn findings(&self, text: &Text, judged: Option<&Vector>) -> Vec<Finding> {
        let (weights, header) = (&self.weights, &self.weights.header);
        let (vectors, vector, leaves) = match judged {
            Some(judged) => (&weights.judge_leaves, &judged[..], &header.judge_leaves),
            None => (&weights.fast_leaves, &text.vector[..], &header.fast_leaves),
        };
        let stage = match (text.buying, text.doing) {
            (true, _) => Stage::Buying,
            (false, true) => Stage::Doing,
            (false, false) => Stage::Curious,
        };
        let length = (text.shape.runs.clamp(1, 200) as f32).ln();
        let some = leaves.some_bias + dot(&leaves.some, vector);
        nearest(vectors, vector, leaves)
            .into_iter()
            .filter_map(|(leaf, z, behind)| {
                let [one, by_z, by_length, by_both, by_behind, by_some] = leaves.sure;
                let logit = one
                    + by_z * z
                    + by_length * length
                    + by_both * z * length
                    + by_behind * behind
                    + by_some * some;
                let weight = thousandths(logistic(logit));
                (weight >= leaves.threshold.max(1)).then_some(Finding {
                    interest: Interest(leaf),
                    weight: Weight(weight),
                    stage,
                })
            })
            .collect()
    }

    fn judged(&self, spoken: &Spoken) -> Result<([u8; 2], Judgement), Unjudged> {
        let text = self.text(spoken.words());
        let (mut heard, vector) = self.hear(spoken.words(), &text)?;
        self.context(spoken, text.shape.words < LEANS_ON_CONTEXT, &mut heard)?;
        let findings = self.findings(&text, vector.as_ref());
        let Heard { language, levels: subjects, touched } = heard;
        Ok((language, Judgement { subjects, touched, findings }))
    }
}

/// The leaves nearest to a vector, at most [`MOST_INTERESTS`], the nearest first: the leaf, its
/// deviations above the mean, and how far that is behind the first.
fn nearest(vectors: &[f32], vector: &[f32], leaves: &Leaves) -> Vec<(u16, f32, f32)> {
    let mut best: Vec<(u16, f32, f32)> = Vec::with_capacity(MOST_INTERESTS + 1);
    let all = vectors.chunks_exact(vector.len()).zip(leaves.mean.iter().zip(&leaves.deviation));
    for (leaf, (other, (mean, deviation))) in (0..).zip(all) {
        let z = (dot(other, vector) - mean) / deviation;
        let at = best.partition_point(|(_, better, _)| *better >= z);
        if at < MOST_INTERESTS {
            best.insert(at, (leaf, z, 0.0));
            best.truncate(MOST_INTERESTS);
        }
    }
    let first = best.first().map_or(0.0, |(_, z, _)| *z);
    best.iter_mut().for_each(|(_, z, behind)| *behind = *z - first);
    best
}

impl Reader for Model {
    fn read(&self, spoken: &Spoken) -> Reading {
        match self.judged(spoken) {
            Ok((language, judgement)) => {
                Reading { language: Some(language), judged: Ok(judgement) }
            }
            Err(unjudged) => {
                let language = match unjudged {
                    Unjudged::Language => language::detected(spoken.words()),
                    _ => None,
                };
                Reading { language, judged: Err(unjudged) }
            }
        }
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

/// Of log-odds.
fn level(odds: f32) -> Level {
    Level(thousandths(logistic(odds)))
}

fn thousandths(probability: f32) -> u16 {
    (probability * 1000.0).round().clamp(0.0, 1000.0) as u16
}
