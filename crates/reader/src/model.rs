//! The model: what two paths together make of a text.
//!
//! The fast one (`fast.rs`), for English, decides what it is sure of. The rest, and every other
//! language that was measured, is also judged by the sentence encoder (`encoder.rs`); the opinions
//! of both are weighed together. What touches no subject, but is about who knows what, is brought
//! before the encoder for its leaves.

use crate::dislike::is_dislike;
use crate::encoder::{Encoded, Encoder};
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

/// Such a turn by itself ("is it safe?") says little: where there is something before it, it touches
/// a subject by itself only where its log-odds are so far above the threshold.
const PLAINLY: f32 = 3.0;

/// Of a text of fewer words the fast path tells the leaves alone: the encoder would add little.
const LONG_ENOUGH: usize = 6;

/// A loaded model.
pub struct Model {
    weights: Weights,
    encoder: Encoder,
    fast: Fast,
    /// What was heard and found lately in texts that the encoder was asked about, by their hash: the
    /// messages of a conversation come again as the context of the next ones, and many turns are
    /// ones that everybody types. In memory only.
    lately: Mutex<HashMap<[u8; 32], Lately>>,
}

/// What is remembered of a text.
struct Lately {
    heard: Heard,
    /// What it is about, once somebody wanted to know.
    found: Option<Vec<Finding>>,
}

/// What a text was judged by.
enum By {
    /// The fast path alone.
    Fast,
    /// The encoder too.
    Encoder(Encoded),
    /// The encoder, lately: this is what was found.
    Lately(Vec<Finding>),
}

/// A message of the context.
type Message<'a> = (Role, &'a str);

/// What the firewall hears in one text.
#[derive(Clone, Copy)]
struct Heard {
    language: [u8; 2],
    levels: [Level; 7],
    touched: [bool; 7],
    /// Touched beyond doubt: see [`PLAINLY`].
    plainly: [bool; 7],
    /// So short that it leans on what was said before.
    leans: bool,
}

impl Heard {
    fn is_touched(&self) -> bool {
        self.touched.contains(&true)
    }

    fn add(&mut self, other: Self) {
        for subject in 0..7 {
            self.levels[subject] = self.levels[subject].max(other.levels[subject]);
            self.touched[subject] |= other.touched[subject];
            self.plainly[subject] |= other.plainly[subject];
        }
    }
}

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
        self.is_clear_to_the_fast(words) == Some(false)
    }

    /// Does the fast path decide this text by itself? What cannot be judged, nobody decides. For
    /// benches.
    pub fn is_clear(&self, words: &str) -> bool {
        self.is_clear_to_the_fast(words) == Some(true)
    }

    fn is_clear_to_the_fast(&self, words: &str) -> Option<bool> {
        let (heard, glance, by) = self.hear(words).ok()?;
        Some(matches!(by, By::Fast) && (heard.is_touched() || !self.is_unsure(&glance)))
    }

    /// Forgets what was heard lately. For benches, which read the same texts again.
    pub fn forget(&self) {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What the firewall hears in a text that may have been heard before.
    fn hear_again(&self, words: &str) -> Result<Heard, Unjudged> {
        match self.heard_lately(words, |lately| Some(lately.heard)) {
            Some(heard) => Ok(heard),
            None => self.hear(words).map(|(heard, ..)| heard),
        }
    }

    fn heard_lately<T>(&self, words: &str, what: impl Fn(&Lately) -> Option<T>) -> Option<T> {
        let hash = blake3::hash(words.as_bytes());
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.get(hash.as_bytes()).and_then(what)
    }

    fn remember(&self, words: &str, heard: Heard, found: Option<Vec<Finding>>) {
        let hash = *blake3::hash(words.as_bytes()).as_bytes();
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.clear();
        }
        lately.insert(hash, Lately { heard, found });
    }

    /// What the firewall hears in a text by itself, what the fast path made of it, and by what it was
    /// judged.
    fn hear(&self, words: &str) -> Result<(Heard, Glance, By), Unjudged> {
        let header = &self.weights.header;
        let plain = normal(words);
        let glance = self.fast.glance(&self.weights, &plain);
        let language = language::judge(words, glance.shape, &header.languages)?;
        let is_english = language == language::ENGLISH;
        let leans = glance.shape.words < LEANS_ON_CONTEXT;
        if is_english && glance.shape.known() >= KNOWN_TO_THE_FAST {
            let greatest = glance.subjects.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if greatest < header.clear || greatest >= header.stop {
                let levels = glance.subjects.map(level);
                let touched = glance.subjects.map(|odds| odds >= header.stop);
                let plainly = glance.subjects.map(|odds| odds >= header.stop + PLAINLY);
                return Ok((Heard { language, levels, touched, plainly, leans }, glance, By::Fast));
            }
        }
        let known = |lately: &Lately| Some((lately.heard, lately.found.clone()?));
        if let Some((heard, found)) = self.heard_lately(words, known) {
            return Ok((heard, glance, By::Lately(found)));
        }
        let encoded = self.encoder.encode(&plain);
        let judged = Zeroizing::new(self.weights.judge.subjects.apply(&encoded.vector));
        let together = if is_english { &header.english } else { &header.elsewhere };
        let Together { by_judge, by_fast, bias, thresholds } = together;
        let (mut levels, mut touched, mut plainly) =
            ([Level::default(); 7], [false; 7], [false; 7]);
        for at in 0..7 {
            let judged = judged[at] + encoded.evidence[at];
            let odds = by_judge * judged + by_fast * glance.subjects[at] + bias[at];
            levels[at] = level(odds);
            touched[at] = odds >= thresholds[at];
            plainly[at] = odds >= thresholds[at] + PLAINLY;
        }
        let heard = Heard { language, levels, touched, plainly, leans };
        self.remember(words, heard, None);
        Ok((heard, glance, By::Encoder(encoded)))
    }

    /// What the firewall hears in a turn (`heard`, by itself) that stands after these messages. One
    /// that leans on them is judged together with the last two.
    fn in_place(&self, before: &[Message], words: &str, heard: Heard) -> Heard {
        if !heard.leans || heard.plainly.contains(&true) || before.is_empty() {
            return heard;
        }
        let mut joined: Zeroizing<String> = Zeroizing::default();
        for (_, words) in &before[before.len().saturating_sub(2)..] {
            joined.extend(words.chars().take(OF_EACH_BEFORE));
            joined.push('\n');
        }
        joined.push_str(words);
        // Each part is judged too, or is the assistant's; together they may be of no one language.
        self.hear_again(&joined).unwrap_or(heard)
    }

    /// Adds what is heard in the person's own messages before this turn; one that leans on others
    /// must touch a subject by itself and in its place, since it was a turn before, and judged as
    /// one. What cannot be judged in them shuts as if it were this turn; the assistant's words by
    /// themselves shut nothing. One that touches a subject is enough: nothing more is asked.
    fn context(&self, messages: &[Message], heard: &mut Heard) -> Result<(), Unjudged> {
        for (at, (role, words)) in messages.iter().enumerate() {
            if heard.is_touched() {
                break;
            }
            if *role == Role::User {
                match self.hear_again(words) {
                    Ok(own) if own.is_touched() => {
                        heard.add(self.in_place(&messages[..at], words, own));
                    }
                    Ok(own) => heard.add(own),
                    Err(Unjudged::Empty) => {}
                    Err(unjudged) => return Err(unjudged),
                }
            }
        }
        Ok(())
    }

    fn findings(&self, words: &str, glance: &Glance, judged: Option<&Encoded>) -> Vec<Finding> {
        let (shape, knows) = (glance.shape, glance.shape.known() >= KNOWN_TO_THE_FAST);
        let (weights, header) = (&self.weights, &self.weights.header);
        let stages = match judged {
            Some(encoded) => weights.judge.stages.apply(&encoded.vector),
            None => glance.stages(weights),
        };
        // What somebody says that they do not want raises nothing.
        let Some(stage) = stage(&stages) else { return Vec::new() };
        let found = match judged {
            None => header.fast_leaves.findings(glance.leaves(weights), shape.runs, stage),
            Some(encoded) => {
                let mut leaves = Zeroizing::new(weights.judge.leaves.apply(&encoded.vector));
                let gist = Zeroizing::new(weights.gist.apply(&encoded.gist));
                leaves.iter_mut().zip(gist.iter()).for_each(|(odds, gist)| *odds += gist);
                if knows {
                    for (odds, fast) in leaves.iter_mut().zip(glance.leaves(weights)) {
                        *odds += header.fast_beside_judge * fast;
                    }
                }
                header.judge_leaves.findings(&leaves, shape.runs, stage)
            }
        };
        // Asked last: most texts have nothing that could be disliked.
        if knows && !found.is_empty() && is_dislike(words) { Vec::new() } else { found }
    }

    /// Is the fast path in doubt about the leaves, of a text in which the encoder would hear more? And
    /// what it takes for a dislike, by which all is lost, the encoder is asked about too.
    fn is_unsure(&self, glance: &Glance) -> bool {
        let header = &self.weights.header;
        let leaves = glance.leaves(&self.weights);
        let sure = header.fast_leaves.of_the_best(leaves, glance.shape.runs);
        let [from, to] = header.leaves_doubtful;
        let is_between = (from..to).contains(&sure) && glance.shape.runs >= LONG_ENOUGH;
        is_between || (sure >= from && stage(&glance.stages(&self.weights)).is_none())
    }

    fn judged(&self, spoken: &Spoken) -> Result<([u8; 2], Judgement), Unjudged> {
        let words = spoken.words();
        let (by_itself, glance, by) = self.hear(words)?;
        let messages: Vec<Message> = spoken.context().collect();
        let mut heard = self.in_place(&messages, words, by_itself);
        self.context(&messages, &mut heard)?;
        let findings = match by {
            By::Lately(found) => found,
            By::Fast if heard.is_touched() || !self.is_unsure(&glance) => {
                self.findings(words, &glance, None)
            }
            By::Fast => {
                let lately = self.heard_lately(words, |lately| lately.found.clone());
                lately.unwrap_or_else(|| {
                    let encoded = self.encoder.encode(&normal(words));
                    let found = self.findings(words, &glance, Some(&encoded));
                    self.remember(words, by_itself, Some(found.clone()));
                    found
                })
            }
            By::Encoder(encoded) => {
                let found = self.findings(words, &glance, Some(&encoded));
                self.remember(words, by_itself, Some(found.clone()));
                found
            }
        };
        let Heard { levels: subjects, touched, .. } = heard;
        Ok((by_itself.language, Judgement { subjects, touched, findings }))
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
