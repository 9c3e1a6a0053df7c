//! What is known of an account besides its chats, as of an instant.
//!
//! Facts are kept with the instant at which they held, so a turn is judged by what was true when
//! it was said, in whatever order turns and facts arrive.

use crate::chat::Region;
use crate::policy::Policy;
use crate::taxonomy::Interest;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};

/// What an `account` event named. What it leaves out stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountFact {
    /// From when it holds.
    pub at: Timestamp,
    /// Where the account is.
    pub region: Option<Region>,
    /// BCP 47 primary language, lower case.
    pub language: Option<String>,
    /// The declared date of birth.
    pub birth_date: Option<Date>,
    /// Does the operator think that this is a minor?
    pub likely_minor: Option<bool>,
}

/// How a notice reached the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Inside the app.
    InApp,
    /// By e-mail.
    Email,
}

impl Channel {
    /// Both.
    pub const ALL: [Self; 2] = [Self::InApp, Self::Email];

    /// The name in the log and in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::Email => "email",
        }
    }

    /// The channel of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == name)
    }
}

/// A notice that was delivered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoticeFact {
    /// When it was delivered.
    pub delivered: Timestamp,
    /// Which notice.
    pub notice: String,
    /// Which version of its text.
    pub version: String,
    /// How.
    pub channel: Channel,
}

/// What the person said about the use of chats. Ordered by strictness, so that of two that were
/// said at the same instant the stricter one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Use them.
    In,
    /// Do not, where the policy leaves a choice.
    Out,
    /// The pause is over.
    Resume,
    /// Not for now: nothing is learned, and nothing that was learned is used. Every policy leaves
    /// a pause to the person.
    Pause,
}

impl Wish {
    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Resume => "resume",
            Self::Pause => "pause",
        }
    }

    /// The wish of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::In, Self::Out, Self::Resume, Self::Pause].into_iter().find(|w| w.as_str() == name)
    }

    /// Is it about a pause, rather than the choice that a policy may leave?
    fn is_pause(self) -> bool {
        matches!(self, Self::Resume | Self::Pause)
    }
}

/// What a preference is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// An interest.
    Interest(Interest),
    /// An advertiser, by the operator's id.
    Advertiser(String),
}

/// What the person wants of it. Ordered by strictness, so that of two that were said at the same
/// instant the stricter one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taste {
    /// As if nothing had been said.
    Clear,
    /// More of it; an interest that was not there is added.
    More,
    /// Less of it.
    Less,
    /// Never again.
    Never,
}

impl Taste {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clear, Self::More, Self::Less, Self::Never];

    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::More => "more",
            Self::Less => "less",
            Self::Never => "never",
        }
    }

    /// The taste of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// A correction that the person made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreferenceFact {
    /// When.
    pub at: Timestamp,
    /// Of what.
    pub about: About,
    /// What is wanted.
    pub taste: Taste,
}

/// All that is known of one account, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What `account` events named.
    pub facts: Vec<AccountFact>,
    /// Notices that were delivered.
    pub notices: Vec<NoticeFact>,
    /// Choices about chats.
    pub choices: Vec<(Timestamp, Wish)>,
    /// Preferences.
    pub preferences: Vec<PreferenceFact>,
    /// The account was deleted at this instant: nothing up to it counts.
    pub forgotten: Option<Timestamp>,
}

/// What the gate asks about an account, as of an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Where the account was. Unknown when nobody said, or when two said different things of the
    /// same instant.
    pub region: Option<Region>,
    /// Full years of age; of several dates of birth the latest counts.
    pub age: Option<u8>,
    /// Thought to be a minor.
    pub likely_minor: bool,
    /// Had a notice that counts been delivered early enough?
    pub told: bool,
    /// The last choice about chats.
    pub wish: Option<Wish>,
    /// Did the person pause, and not resume?
    pub paused: bool,
    /// The account was deleted at this instant.
    pub forgotten: Option<Timestamp>,
}

impl History {
    /// The standing at an instant.
    pub fn standing(&self, policy: &Policy, at: Timestamp) -> Standing {
        let lead = SignedDuration::from_hours(24 * i64::from(policy.notice.lead_days));
        let told = !policy.notice.required
            || self.notices.iter().any(|notice| {
                self.holds(notice.delivered)
                    && policy.notice.counts(notice)
                    && notice.delivered.checked_add(lead).is_ok_and(|usable| usable <= at)
            });
        let minors = self.latest(at, |fact| fact.likely_minor);
        Standing {
            region: agreed(&self.latest(at, |fact| fact.region)),
            age: self.latest(at, |fact| fact.birth_date).into_iter().max().map(|b| age(b, at)),
            likely_minor: minors.contains(&true),
            told,
            wish: self.last_wish(at, false),
            paused: self.last_wish(at, true) == Some(Wish::Pause),
            forgotten: self.forgotten,
        }
    }

    /// The latest instant of anything that is known here.
    pub fn latest_instant(&self) -> Option<Timestamp> {
        let facts = self.facts.iter().map(|fact| fact.at);
        let notices = self.notices.iter().map(|notice| notice.delivered);
        let choices = self.choices.iter().map(|(at, _)| *at);
        let preferences = self.preferences.iter().map(|preference| preference.at);
        facts.chain(notices).chain(choices).chain(preferences).max()
    }

    fn last_wish(&self, at: Timestamp, pause: bool) -> Option<Wish> {
        let said = self
            .choices
            .iter()
            .filter(|(said, wish)| *said <= at && self.holds(*said) && wish.is_pause() == pause);
        said.max().map(|(_, wish)| *wish)
    }

    /// The account's language at an instant, as `account` events named it.
    pub fn language(&self, at: Timestamp) -> Option<String> {
        self.latest(at, |fact| fact.language.clone()).into_iter().max()
    }

    /// Was it said after the account was last deleted?
    pub fn holds(&self, said: Timestamp) -> bool {
        self.forgotten.is_none_or(|until| said > until)
    }

    /// What the newest facts up to an instant name; several when they are of the same instant.
    fn latest<T>(&self, at: Timestamp, of: impl Fn(&AccountFact) -> Option<T>) -> Vec<T> {
        let mut newest = None;
        let mut values = Vec::new();
        for fact in self.facts.iter().filter(|fact| fact.at <= at && self.holds(fact.at)) {
            let Some(value) = of(fact) else { continue };
            if newest.is_none_or(|newest| newest < fact.at) {
                newest = Some(fact.at);
                values.clear();
            }
            if newest == Some(fact.at) {
                values.push(value);
            }
        }
        values
    }
}

fn agreed<T: Copy + PartialEq>(values: &[T]) -> Option<T> {
    let first = *values.first()?;
    values.iter().all(|value| *value == first).then_some(first)
}

/// Full years between a date of birth and an instant, at the place where it is latest (a birthday
/// counts once it has begun everywhere).
fn age(birth: Date, at: Timestamp) -> u8 {
    let today = Offset::constant(-12).to_datetime(at).date();
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    let years = today.year() - birth.year() - i16::from(!had_birthday);
    u8::try_from(years.clamp(0, 255)).unwrap_or(u8::MAX)
}
