//! The operator's rules as data: who is in, from when, after which notice, what is sensitive, how
//! long things are kept. No rule of law is written in code.

mod file;
mod places;
mod words;

pub use file::PolicyError;
pub use places::regions;

use crate::chat::{Name, Region};
use crate::standing::{Channel, NoticeFact};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Which policy: the first 8 bytes of the BLAKE3 hash of its file. Stands on every row that it let
/// in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(pub u64);

/// What a region leaves to the person. Ordered by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choosing {
    /// Nothing: chats are used (as announced; ad preferences stay).
    None,
    /// Chats are used until the person says no.
    OptOut,
    /// Chats are not used until the person says yes.
    OptIn,
}

impl Choosing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::OptOut, Self::OptIn];

    /// The name in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OptOut => "opt-out",
            Self::OptIn => "opt-in",
        }
    }
}

/// How much one sensitive turn shuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Its whole conversation, before and after.
    Conversation,
    /// Only itself.
    Turn,
}

/// What linking does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossPlatform {
    /// Linked accounts share one profile.
    Linked,
    /// Every account stands alone, linked or not.
    Never,
}

/// What may be done with chats in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// May interests be inferred from them?
    pub infer: bool,
    /// May what was inferred be used?
    pub apply: bool,
    /// What is left to the person?
    pub choice: Choosing,
}

impl Permission {
    /// What both allow.
    fn stricter(self, other: Self) -> Self {
        Self {
            infer: self.infer && other.infer,
            apply: self.apply && other.apply,
            choice: self.choice.max(other.choice),
        }
    }
}

/// An instant in a policy. A date without a time begins at a different instant in every place;
/// both ends are kept, and what is stricter counts in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Midnight where it comes first (UTC+14).
    pub earliest: Timestamp,
    /// Midnight where it comes last (UTC-12).
    pub latest: Timestamp,
}

/// What differs in some regions, for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionRule {
    /// Where.
    pub regions: BTreeSet<Region>,
    /// As the file wrote them, groups unopened, for people to read.
    pub named: Vec<String>,
    /// From when; always, if it does not say.
    pub from: Option<Boundary>,
    /// Until when; for ever, if it does not say.
    pub until: Option<Boundary>,
    /// What may be done there then.
    pub permission: Permission,
}

/// Which notice must have reached the person before their chats are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRule {
    /// Is one needed at all?
    pub required: bool,
    /// Notices delivered before this do not count.
    pub first_day: Option<Boundary>,
    /// Days of 24 hours between delivery and the first turn that is used.
    pub lead_days: u16,
    /// Delivery by any of these counts.
    pub channels: Vec<Channel>,
    /// Does only a notice count whose first screen names AI chats?
    pub must_name_ai_chats: bool,
    /// The notices whose first screen does: (notice, version).
    pub naming_ai_chats: Vec<(String, String)>,
}

impl NoticeRule {
    /// Does this delivery count?
    pub fn counts(&self, notice: &NoticeFact) -> bool {
        let named = || {
            let sent = (&notice.notice, &notice.version);
            self.naming_ai_chats.iter().any(|(notice, version)| (notice, version) == sent)
        };
        self.channels.contains(&notice.channel)
            && self.first_day.is_none_or(|day| notice.delivered >= day.earliest)
            && (!self.must_name_ai_chats || named())
    }
}

/// The switches of single products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Products {
    /// The products whose chats may be used.
    pub on: BTreeSet<Name>,
    /// Transcripts of what was spoken?
    pub voice: bool,
    /// Prompts to make a picture?
    pub image_prompts: bool,
}

/// One policy, whole and immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The hash of the file.
    pub id: PolicyId,
    /// The operator's name for it.
    pub version: String,
    /// Chats before this are never used.
    pub effective: Timestamp,
    /// Chats are off everywhere: neither read nor used.
    pub kill_switch: bool,
    /// The platforms whose chats and activities may be used.
    pub platforms: BTreeSet<Name>,
    /// What linking does.
    pub cross_platform: CrossPlatform,
    /// The youngest age whose chats are used; 0 asks for none.
    pub min_age: u8,
    /// How much one sensitive turn shuts.
    pub scope: Scope,
    /// Does a Global Privacy Control signal count as opting out, where there is a choice?
    pub gpc: bool,
    /// Contributions older than this many days are gone.
    pub retention_days: u16,
    /// A contribution's weight halves in this many days.
    pub half_life_days: u16,
    /// The products.
    pub products: Products,
    /// The notice.
    pub notice: NoticeRule,
    /// What holds where no rule does.
    pub elsewhere: Permission,
    /// What differs; of several rules that hold, the last one counts.
    pub regions: Vec<RegionRule>,
}

impl Policy {
    /// What may be done with chats of a region at an instant.
    pub fn permission(&self, region: Region, at: Timestamp) -> Permission {
        let by = |edge: fn(&Boundary) -> Timestamp| {
            self.regions
                .iter()
                .rev()
                .find(|rule| {
                    rule.regions.contains(&region)
                        && rule.from.is_none_or(|from| at >= edge(&from))
                        && rule.until.is_none_or(|until| at < edge(&until))
                })
                .map_or(self.elsewhere, |rule| rule.permission)
        };
        by(|boundary| boundary.earliest).stricter(by(|boundary| boundary.latest))
    }
}
