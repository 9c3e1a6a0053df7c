//! Does it touch a protected subject? Then its whole conversation leaves no trace.

use crate::gate::Admitted;
use crate::policy::PolicyId;
use crate::reading::{Finding, Reader, Unjudged};

/// Why the firewall stopped words. Of what is sensitive it does not say which subject it was: the
/// subject would be sensitive itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// A protected subject is touched.
    Sensitive,
    /// Nothing in it that is a word.
    Empty,
    /// A language that the model does not know.
    Language,
    /// Not text that a person would write.
    Garbled,
    /// Too long to judge.
    TooLong,
}

impl Stop {
    /// The closed list.
    pub const ALL: [Self; 5] =
        [Self::Sensitive, Self::Empty, Self::Language, Self::Garbled, Self::TooLong];

    /// The code in counters and reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::Sensitive => "sensitive",
            Self::Empty => "empty",
            Self::Language => "language",
            Self::Garbled => "garbled",
            Self::TooLong => "too_long",
        }
    }

    /// Does it shut the conversation? What could not be judged may have been sensitive, so it
    /// does; what says nothing at all (an emoji, a blank) does not.
    pub fn shuts(self) -> bool {
        self != Self::Empty
    }
}

/// Words that touch nothing protected, read and gone. Only [`screen`] makes one.
#[derive(Debug)]
pub struct Cleared<F> {
    pub(crate) facts: F,
    pub(crate) policy: PolicyId,
    pub(crate) findings: Vec<Finding>,
}

impl<F> Cleared<F> {
    /// What the words are about, strongest first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// Has admitted words read and judges them. It asks the reader itself, so no reading can be put
/// beside the wrong words; and it takes them whole, so nothing can read them afterwards.
///
/// # Errors
/// Why they were stopped.
pub fn screen<F>(reader: &impl Reader, admitted: Admitted<F>) -> Result<Cleared<F>, Stop> {
    let reading = reader.read(admitted.spoken());
    let (facts, policy) = admitted.release();
    match reading.judged {
        Ok(judgement) if judgement.touched.contains(&true) => Err(Stop::Sensitive),
        Ok(judgement) => Ok(Cleared { facts, policy, findings: judgement.findings }),
        Err(Unjudged::Empty) => Err(Stop::Empty),
        Err(Unjudged::Language) => Err(Stop::Language),
        Err(Unjudged::Garbled) => Err(Stop::Garbled),
        Err(Unjudged::TooLong) => Err(Stop::TooLong),
    }
}
