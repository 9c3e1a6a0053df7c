//! The model: what two paths together make of a text.
//!
//! The fast one (`fast.rs`), for English, decides what it is sure of. The rest, and every other
//! language that was measured, is also judged by the sentence encoder (`encoder.rs`); the opinions
//! of both are weighed together.

use crate::dislike::is_dislike;
use crate::encoder::Encoder;
use crate::fast::{Fast, Glance};
use crate::heads::{logistic, stage, thousandths};
use crate::language;
use crate::normal::normal;
use crate::weights::{LoadError, Together, Weights};
use crate::wordpiece::Token;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tactful_core::chat::Role;
use tactful_core::gate::Spoken;
use tactful_core::reading::{
    Finding, Judgement, Level, ModelId, Reader, Reading, Subject, Unjudged,
};
use tactful_core::taxonomy::Taxonomy;
use zeroize::Zeroizing;

/// The model of this build.
const SHIPPED: &[u8] = include_bytes!("../../../models/tactful.bin");

/// The sentence encoder of this build.
const ENCODER: &[u8] = include_bytes!("../../../models/encoder.bin");

/// Of a text of which fewer words in a hundred are pieces of the English vocabulary, the fast path
/// decides nothing.
const KNOWN_TO_THE_FAST: usize = 75;

/// Texts whose hearing is remembered; past that all are forgotten.
const REMEMBERED: usize = 16_384;

/// A turn of fewer words is judged together with the messages before it: "what about my case?"
const LEANS_ON_CONTEXT: usize = 6;

/// Of each message before it, so many characters: a long answer would drown the turn.
const OF_EACH_BEFORE: usize = 240;

/// A loaded model.
pub struct Model {
    weights: Weights,
    encoder: Encoder,
    fast: Fast,
    /// What was heard lately in texts that were judged, by their hash: the messages of a
    /// conversation come again as the context of the next ones. In memory only.
    lately: Mutex<HashMap<[u8; 32], Heard>>,
}

/// What the firewall hears in one text.
#[derive(Clone, Copy)]
struct Heard {
    language: [u8; 2],
    levels: [Level; 7],
    touched: [bool; 7],
}

impl Heard {
    fn is_touched(&self) -> bool {
        self.touched.contains(&true)
    }
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
        let fast = Fast::new(&weights)
            .ok_or_else(|| LoadError::Header("the vocabulary has no [UNK]".to_owned()))?;
        Ok(Self { encoder: Encoder::load(encoder)?, weights, fast, lately: Mutex::default() })
    }

    /// Tokens of a text on the fast path, for tests and benches.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        self.fast.tokens(text)
    }

    /// Is the encoder asked about this text too? For benches and the scorecard.
    pub fn is_doubtful(&self, words: &str) -> bool {
        matches!(self.hear(words), Ok((.., Some(_))))
    }

    /// Does the fast path decide this text by itself? What cannot be judged, nobody decides. For
    /// benches.
    pub fn is_clear(&self, words: &str) -> bool {
        matches!(self.hear(words), Ok((.., None)))
    }

    /// What the firewall hears in a text that may have been heard before.
    fn hear_again(&self, words: &str) -> Result<Heard, Unjudged> {
        let hash = *blake3::hash(words.as_bytes()).as_bytes();
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        match lately {
            Some(heard) => Ok(heard),
            None => self.hear(words).map(|(heard, ..)| heard),
        }
    }

    fn remember(&self, words: &str, heard: Heard) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.clear();
        }
        lately.insert(*blake3::hash(words.as_bytes()).as_bytes(), heard);
    }

    /// What the firewall hears in a text by itself, what the fast path made of it, and the
    /// encoder's vector if it was asked.
    fn hear(&self, words: &str) -> Result<(Heard, Glance, Option<Vector>), Unjudged> {
        let header = &self.weights.header;
        let plain = normal(words);
        let glance = self.fast.glance(&self.weights, &plain);
        let language = language::judge(words, glance.shape, &header.languages)?;
        let is_english = language == language::ENGLISH;
        if is_english && glance.shape.known() >= KNOWN_TO_THE_FAST {
            let greatest = glance.subjects.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if greatest < header.clear || greatest >= header.stop {
                let levels = glance.subjects.map(level);
                let touched = glance.subjects.map(|odds| odds >= header.stop);
                return Ok((Heard { language, levels, touched }, glance, None));
            }
        }
        let vector = Zeroizing::new(self.encoder.encode(&plain));
        let judged = Zeroizing::new(self.weights.judge.subjects.apply(&vector));
        let together = if is_english { &header.english } else { &header.elsewhere };
        let Together { by_judge, by_fast, bias, thresholds } = together;
        let (mut levels, mut touched) = ([Level::default(); 7], [false; 7]);
        for at in 0..7 {
            let odds = by_judge * judged[at] + by_fast * glance.subjects[at] + bias[at];
            levels[at] = level(odds);
            touched[at] = odds >= thresholds[at];
        }
        let heard = Heard { language, levels, touched };
        self.remember(words, heard);
        Ok((heard, glance, Some(vector)))
    }

    /// Of the messages before: each of the person's own, and, for a turn that leans on them, the
    /// last two together with it. What cannot be judged in the person's own words shuts as if it
    /// were this turn; the assistant's words by themselves shut nothing. One that touches a subject
    /// is enough: nothing more is asked.
    fn context(&self, spoken: &Spoken, leans: bool, heard: &mut Heard) -> Result<(), Unjudged> {
        let add = |heard: &mut Heard, other: Heard| {
            for (subject, level) in other.levels.into_iter().enumerate() {
                heard.levels[subject] = level.max(heard.levels[subject]);
                heard.touched[subject] |= other.touched[subject];
            }
        };
        for (_, words) in spoken.context().filter(|(role, _)| *role == Role::User) {
            match self.hear_again(words) {
                Ok(other) => add(heard, other),
                Err(Unjudged::Empty) => {}
                Err(unjudged) => return Err(unjudged),
            }
            if heard.is_touched() {
                return Ok(());
            }
        }
        if leans {
            let mut joined: Zeroizing<String> = Zeroizing::default();
            let last: Vec<_> = spoken.context().rev().take(2).collect();
            for (_, words) in last.into_iter().rev() {
                joined.extend(words.chars().take(OF_EACH_BEFORE));
                joined.push('\n');
            }
            if joined.is_empty() {
                return Ok(());
            }
            joined.push_str(spoken.words());
            // Each part was judged, or is the assistant's; together they may be of no one language.
            if let Ok((other, ..)) = self.hear(&joined) {
                add(heard, other);
            }
        }
        Ok(())
    }

    fn findings(&self, words: &str, glance: &Glance, judged: Option<&Vector>) -> Vec<Finding> {
        let (shape, knows) = (glance.shape, glance.shape.known() >= KNOWN_TO_THE_FAST);
        let (weights, header) = (&self.weights, &self.weights.header);
        let stages = match judged {
            Some(vector) => weights.judge.stages.apply(vector),
            None => glance.stages(weights),
        };
        // What somebody says that they do not want raises nothing.
        let Some(stage) = stage(&stages) else { return Vec::new() };
        let found = match judged {
            None => {
                let leaves = Zeroizing::new(glance.leaves(weights));
                header.fast_leaves.findings(&leaves, shape.runs, stage)
            }
            Some(vector) => {
                let mut leaves = Zeroizing::new(weights.judge.leaves.apply(vector));
                if knows {
                    let fast = Zeroizing::new(glance.leaves(weights));
                    for (odds, fast) in leaves.iter_mut().zip(fast.iter()) {
                        *odds += header.fast_beside_judge * fast;
                    }
                }
                header.judge_leaves.findings(&leaves, shape.runs, stage)
            }
        };
        // Asked last: most texts have nothing that could be disliked.
        if knows && !found.is_empty() && is_dislike(words) { Vec::new() } else { found }
    }

    fn judged(&self, spoken: &Spoken) -> Result<([u8; 2], Judgement), Unjudged> {
        let (mut heard, glance, vector) = self.hear(spoken.words())?;
        if !heard.is_touched() {
            self.context(spoken, glance.shape.words < LEANS_ON_CONTEXT, &mut heard)?;
        }
        let findings = self.findings(spoken.words(), &glance, vector.as_ref());
        let Heard { language, levels: subjects, touched } = heard;
        Ok((language, Judgement { subjects, touched, findings }))
    }
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

/// The subjects have fixed places in every array; the file's order is theirs.
const _: () = assert!(Subject::ALL.len() == 7);

/// Of log-odds.
fn level(odds: f32) -> Level {
    Level(thousandths(logistic(odds)))
}
