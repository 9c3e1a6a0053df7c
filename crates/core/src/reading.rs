//! What a model made of the words. From here on there are no words.

use crate::gate::Spoken;
use crate::taxonomy::Interest;

/// A protected subject. No interest exists for any of them: see [`crate::taxonomy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Religious views.
    Religion,
    /// Sexual orientation, gender identity, sex life.
    Orientation,
    /// Political views.
    Politics,
    /// Health.
    Health,
    /// Racial or ethnic origin.
    Ethnicity,
    /// Philosophical beliefs.
    Philosophy,
    /// Trade-union membership.
    Union,
}

impl Subject {
    /// All seven, in the order in which every array of this crate holds them.
    pub const ALL: [Self; 7] = [
        Self::Religion,
        Self::Orientation,
        Self::Politics,
        Self::Health,
        Self::Ethnicity,
        Self::Philosophy,
        Self::Union,
    ];

    /// The code in files and on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Religion => "religion",
            Self::Orientation => "orientation",
            Self::Politics => "politics",
            Self::Health => "health",
            Self::Ethnicity => "ethnicity",
            Self::Philosophy => "philosophy",
            Self::Union => "union",
        }
    }

    /// The subject of a code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// A calibrated probability in thousandths: 0 (certainly not) to 1000 (certainly).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u16);

/// How sure and how strong a finding is: 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(pub u16);

/// How near to buying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Asks about it.
    Curious,
    /// Practises, makes, plans.
    Doing,
    /// Compares, prices, wants to get it.
    Buying,
}

impl Stage {
    /// All, nearest to buying last.
    pub const ALL: [Self; 3] = [Self::Curious, Self::Doing, Self::Buying];

    /// The name in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Curious => "curious",
            Self::Doing => "doing",
            Self::Buying => "buying",
        }
    }

    /// The stage of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

/// An interest that a reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub interest: Interest,
    /// How surely.
    pub weight: Weight,
    /// How near to buying.
    pub stage: Stage,
}

/// Why words could not be judged. What cannot be judged is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unjudged {
    /// Nothing in it that is a word.
    Empty,
    /// A language in which the model's recall was never measured, or none that is known.
    Language,
    /// Not text that a person would write.
    Garbled,
    /// Longer than the model can judge.
    TooLong,
}

/// What the model heard in words that it could judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// One probability a subject, in the order of [`Subject::ALL`]; the highest of the turn and
    /// its context.
    pub subjects: [Level; 7],
    /// Does the probability reach the model's threshold for that subject?
    pub touched: [bool; 7],
    /// What the person's own words of this turn are about, strongest first.
    pub findings: Vec<Finding>,
}

/// What a model made of the words. It holds no words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// ISO 639-1 code of the turn's language, when the model could tell.
    pub language: Option<[u8; 2]>,
    /// What it heard, or why it could not judge.
    pub judged: Result<Judgement, Unjudged>,
}

/// Which model: the first 8 bytes of the BLAKE3 hash of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub u64);

/// Reads words. A model, or a test's double.
pub trait Reader {
    /// Reads what was admitted; there is no way to hand it any other text.
    fn read(&self, spoken: &Spoken) -> Reading;

    /// Which model this is; stands on every row.
    fn model(&self) -> ModelId;
}
