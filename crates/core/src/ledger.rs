//! From cleared words to rows. Rows are facts; everything else is a reduction over them.

use crate::chat::{Audience, Facts, Modality, Name, Role, Tag};
use crate::firewall::Cleared;
use crate::gate::Deed;
use crate::policy::PolicyId;
use crate::reading::{Finding, ModelId, Stage, Weight};
use crate::taxonomy::Interest;
use jiff::Timestamp;

/// Where a row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A chat with the assistant.
    Chat,
    /// A like.
    Like,
    /// A follow.
    Follow,
    /// A join.
    Join,
    /// A view.
    View,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Like, Self::Follow, Self::Join, Self::View];

    /// The name in the log, the tables and the reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Like => "like",
            Self::Follow => "follow",
            Self::Join => "join",
            Self::View => "view",
        }
    }

    /// The source of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

/// One fact about one account: the only thing that is kept of a turn or an activity.
///
/// Its key is (account, source, event, interest). Two that share it are merged by [`merge`], so a
/// set of them does not depend on the order or the number of deliveries.
///
/// [`merge`]: Contribution::merge
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contribution {
    /// Whose.
    pub account: Tag,
    /// From what.
    pub source: Source,
    /// Which turn or activity.
    pub event: Tag,
    /// About what.
    pub interest: Interest,
    /// Which conversation; of an activity, its own event.
    pub conversation: Tag,
    /// How strongly.
    pub weight: Weight,
    /// How near to buying.
    pub stage: Stage,
    /// When it happened.
    pub at: Timestamp,
    /// In which app.
    pub platform: Name,
    /// With which product; of an activity, its source's name.
    pub product: Name,
    /// Typed, spoken or a picture's prompt.
    pub modality: Modality,
    /// Under which policy it was let in.
    pub policy: PolicyId,
    /// Which model read it.
    pub model: ModelId,
}

impl Contribution {
    /// What two rows of the same key come to: the greater one. Commutative, associative and
    /// idempotent, so a turn that was delivered in two versions ends the same in any order.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// The facts of the turn that it came from; `None` for an activity.
    pub fn facts(&self) -> Option<Facts> {
        (self.source == Source::Chat).then_some(Facts {
            account: self.account,
            platform: self.platform,
            conversation: self.conversation,
            event: self.event,
            role: Role::User,
            audience: Audience::Assistant,
            encrypted: false,
            modality: self.modality,
            product: self.product,
            at: self.at,
        })
    }

    /// The activity that it came from, or would have come from.
    pub fn deed(&self) -> Deed {
        Deed {
            account: self.account,
            platform: self.platform,
            event: self.event,
            kind: self.source,
            at: self.at,
        }
    }
}

/// The rows that a cleared turn leaves.
pub fn contributions(turn: Cleared<Facts>, model: ModelId) -> Vec<Contribution> {
    let Cleared { facts, policy, findings } = turn;
    findings
        .into_iter()
        .map(|Finding { interest, weight, stage }| Contribution {
            account: facts.account,
            source: Source::Chat,
            event: facts.event,
            interest,
            conversation: facts.conversation,
            weight,
            stage,
            at: facts.at,
            platform: facts.platform,
            product: facts.product,
            modality: facts.modality,
            policy,
            model,
        })
        .collect()
}

/// The rows that an activity leaves, from what its words or its item were found to be about.
pub fn deed_contributions(
    deed: Deed,
    findings: &[(Interest, Weight, Stage)],
    policy: PolicyId,
    model: ModelId,
) -> Vec<Contribution> {
    let Some(product) = Name::new(deed.kind.as_str()) else { return Vec::new() };
    findings
        .iter()
        .map(|&(interest, weight, stage)| Contribution {
            account: deed.account,
            source: deed.kind,
            event: deed.event,
            interest,
            conversation: deed.event,
            weight,
            stage,
            at: deed.at,
            platform: deed.platform,
            product,
            modality: Modality::Text,
            policy,
            model,
        })
        .collect()
}

/// Something that the person took back. Whatever it covers, up to its instant, is gone, however
/// late it is delivered; what comes after counts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deletion {
    /// Everything of the account.
    Account,
    /// One conversation.
    Conversation(Tag),
    /// One turn, or one activity.
    Event(Tag),
    /// One interest.
    Interest(Interest),
}

impl Deletion {
    /// Does it take this row?
    pub fn covers(self, until: Timestamp, row: &Contribution) -> bool {
        row.at <= until
            && match self {
                Self::Account => true,
                Self::Conversation(conversation) => row.conversation == conversation,
                Self::Event(event) => row.event == event,
                Self::Interest(interest) => row.interest == interest,
            }
    }
}
