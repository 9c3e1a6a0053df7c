//! May these words be used at all? Decided from facts alone, before a word is read.

use crate::chat::{Audience, Facts, Message, Modality, Name, Role, Tag, Turn, Words};
use crate::policy::{Choosing, Policy, PolicyId};
use crate::standing::{Standing, Wish};
use jiff::Timestamp;

/// Why a turn was refused. It goes into a counter, never beside an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Written by the assistant, the operator or a tool.
    NotThePerson,
    /// Said to other people.
    People,
    /// End-to-end encrypted.
    Encrypted,
    /// The operator has switched chats off everywhere.
    KillSwitch,
    /// A platform that the policy does not name.
    UnknownPlatform,
    /// A product or a way of speaking that the policy leaves out.
    ProductOff,
    /// Said before the policy took effect.
    BeforeEffective,
    /// The region of the account at that time is not known.
    UnknownRegion,
    /// The region was excluded at that time.
    ExcludedRegion,
    /// Below the minimum age, or likely a minor.
    UnderAge,
    /// No notice that counts had been delivered early enough.
    NoNotice,
    /// The person had opted out, or paused.
    OptedOut,
    /// The person had not opted in.
    NotOptedIn,
    /// The account, or this conversation, had been deleted after it was said.
    Deleted,
}

impl Refusal {
    /// The closed list, in the order in which the rules are asked.
    pub const ALL: [Self; 14] = [
        Self::Encrypted,
        Self::People,
        Self::NotThePerson,
        Self::KillSwitch,
        Self::UnknownPlatform,
        Self::ProductOff,
        Self::BeforeEffective,
        Self::Deleted,
        Self::UnknownRegion,
        Self::ExcludedRegion,
        Self::UnderAge,
        Self::NoNotice,
        Self::OptedOut,
        Self::NotOptedIn,
    ];

    /// The code in counters and reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotThePerson => "not_the_person",
            Self::People => "people",
            Self::Encrypted => "encrypted",
            Self::KillSwitch => "kill_switch",
            Self::UnknownPlatform => "unknown_platform",
            Self::ProductOff => "product_off",
            Self::BeforeEffective => "before_effective",
            Self::UnknownRegion => "unknown_region",
            Self::ExcludedRegion => "excluded_region",
            Self::UnderAge => "under_age",
            Self::NoNotice => "no_notice",
            Self::OptedOut => "opted_out",
            Self::NotOptedIn => "not_opted_in",
            Self::Deleted => "deleted",
        }
    }
}

/// Words that were admitted, for the reader. Only this module makes one.
pub struct Spoken {
    words: Words,
    context: Vec<Message>,
}

impl Spoken {
    /// The words themselves.
    pub fn words(&self) -> &str {
        self.words.as_str()
    }

    /// The messages before them, oldest first. For the firewall, never for the interests.
    pub fn context(&self) -> impl DoubleEndedIterator<Item = (Role, &str)> {
        self.context.iter().map(|message| (message.role, message.words.as_str()))
    }
}

/// Facts of a turn, of an activity or of an item, with the words that were admitted beside them.
pub struct Admitted<F> {
    facts: F,
    spoken: Spoken,
    policy: PolicyId,
}

impl<F> Admitted<F> {
    /// The facts.
    pub fn facts(&self) -> &F {
        &self.facts
    }

    /// The words, for a [`crate::reading::Reader`].
    pub fn spoken(&self) -> &Spoken {
        &self.spoken
    }

    pub(crate) fn release(self) -> (F, PolicyId) {
        (self.facts, self.policy)
    }
}

type Rule = fn(&Policy, &Standing, &Facts) -> Option<Refusal>;

/// The rules, in the order in which they are asked. The first that refuses decides.
pub const RULES: [Rule; 11] = [
    encrypted,
    people,
    not_the_person,
    kill_switch,
    platform,
    product,
    before_effective,
    deleted,
    region,
    under_age,
    told_and_willing,
];

/// What the rules say of the facts: `None` is admissible. Asked when a turn comes in, and again of
/// every row when a profile is used.
pub fn refusal(policy: &Policy, standing: &Standing, facts: &Facts) -> Option<Refusal> {
    RULES.iter().find_map(|rule| rule(policy, standing, facts))
}

/// Lets a turn in, or says why not; the words of a refused turn are dropped unread.
///
/// # Errors
/// The first rule that refuses.
pub fn admit(policy: &Policy, standing: &Standing, turn: Turn) -> Result<Admitted<Facts>, Refusal> {
    match refusal(policy, standing, &turn.facts) {
        Some(refusal) => Err(refusal),
        None => Ok(Admitted {
            facts: turn.facts,
            spoken: Spoken { words: turn.words, context: turn.context },
            policy: policy.id,
        }),
    }
}

/// What is known of an activity: a like, a follow, a join, a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Whose.
    pub account: Tag,
    /// Where.
    pub platform: Name,
    /// The key that makes a repeat harmless.
    pub event: Tag,
    /// What was done.
    pub kind: crate::ledger::Source,
    /// When.
    pub at: Timestamp,
}

/// Lets an activity in. Feeds used these before there were chats, so the rollout's rules do not
/// hold for them; the firewall does, and so does deletion.
///
/// # Errors
/// [`Refusal::UnknownPlatform`] and [`Refusal::Deleted`].
pub fn admit_deed(
    policy: &Policy,
    standing: &Standing,
    deed: Deed,
    words: Words,
) -> Result<Admitted<Deed>, Refusal> {
    match deed_refusal(policy, standing, &deed) {
        Some(refusal) => Err(refusal),
        None => Ok(Admitted {
            facts: deed,
            spoken: Spoken { words, context: Vec::new() },
            policy: policy.id,
        }),
    }
}

/// What the rules say of an activity whose words are not needed (its item was read before).
pub fn deed_refusal(policy: &Policy, standing: &Standing, deed: &Deed) -> Option<Refusal> {
    if !policy.platforms.contains(&deed.platform) {
        return Some(Refusal::UnknownPlatform);
    }
    standing.forgotten.is_some_and(|until| deed.at <= until).then_some(Refusal::Deleted)
}

/// Lets text in that belongs to nobody's profile: an item of the inventory, a sample to measure.
pub fn admit_open(words: Words, context: Vec<Message>) -> Admitted<()> {
    Admitted { facts: (), spoken: Spoken { words, context }, policy: PolicyId(0) }
}

fn encrypted(_: &Policy, _: &Standing, facts: &Facts) -> Option<Refusal> {
    facts.encrypted.then_some(Refusal::Encrypted)
}

fn people(_: &Policy, _: &Standing, facts: &Facts) -> Option<Refusal> {
    (facts.audience == Audience::People).then_some(Refusal::People)
}

fn not_the_person(_: &Policy, _: &Standing, facts: &Facts) -> Option<Refusal> {
    (facts.role != Role::User).then_some(Refusal::NotThePerson)
}

fn kill_switch(policy: &Policy, _: &Standing, _: &Facts) -> Option<Refusal> {
    policy.kill_switch.then_some(Refusal::KillSwitch)
}

fn platform(policy: &Policy, _: &Standing, facts: &Facts) -> Option<Refusal> {
    (!policy.platforms.contains(&facts.platform)).then_some(Refusal::UnknownPlatform)
}

fn product(policy: &Policy, _: &Standing, facts: &Facts) -> Option<Refusal> {
    let modality = match facts.modality {
        Modality::Text => true,
        Modality::Voice => policy.products.voice,
        Modality::ImagePrompt => policy.products.image_prompts,
    };
    (!modality || !policy.products.on.contains(&facts.product)).then_some(Refusal::ProductOff)
}

fn before_effective(policy: &Policy, _: &Standing, facts: &Facts) -> Option<Refusal> {
    (facts.at < policy.effective).then_some(Refusal::BeforeEffective)
}

fn deleted(_: &Policy, standing: &Standing, facts: &Facts) -> Option<Refusal> {
    standing.forgotten.is_some_and(|until| facts.at <= until).then_some(Refusal::Deleted)
}

fn region(policy: &Policy, standing: &Standing, facts: &Facts) -> Option<Refusal> {
    let Some(region) = standing.region else { return Some(Refusal::UnknownRegion) };
    (!policy.permission(region, facts.at).infer).then_some(Refusal::ExcludedRegion)
}

fn under_age(policy: &Policy, standing: &Standing, _: &Facts) -> Option<Refusal> {
    let young = standing.age.is_some_and(|age| age < policy.min_age);
    (young || (standing.likely_minor && policy.min_age > 0)).then_some(Refusal::UnderAge)
}

fn told_and_willing(policy: &Policy, standing: &Standing, facts: &Facts) -> Option<Refusal> {
    if !standing.told {
        return Some(Refusal::NoNotice);
    }
    if standing.paused {
        return Some(Refusal::OptedOut);
    }
    let choosing = standing.region.map(|region| policy.permission(region, facts.at).choice);
    match (choosing, standing.wish) {
        (Some(Choosing::OptOut) | None, Some(Wish::Out)) => Some(Refusal::OptedOut),
        (Some(Choosing::OptIn), Some(Wish::Out)) => Some(Refusal::OptedOut),
        (Some(Choosing::OptIn), None) => Some(Refusal::NotOptedIn),
        _ => None,
    }
}
