//! What is committed together.

use jiff::Timestamp;
use std::collections::BTreeMap;
use tactful_core::chat::{Name, Tag};
use tactful_core::ledger::{Contribution, Deletion};
use tactful_core::standing::{AccountFact, NoticeFact, PreferenceFact, Wish};

/// A conversation to shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seal {
    /// Whose shard it is on; its rows are this account's.
    pub account: Tag,
    /// Which.
    pub conversation: Tag,
    /// Until when the mark is kept.
    pub expires: Timestamp,
}

/// Accounts that were linked: the center's tag, when, which.
pub type Link = (Tag, Timestamp, Vec<(Tag, Name)>);

/// How far a log was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// A keyed tag of the log's content.
    pub log: Tag,
    /// Bytes.
    pub position: u64,
    /// Is that all of it?
    pub complete: bool,
}

/// What is committed together, or not at all. The order within does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What `account` events named, with the account and its platform.
    pub facts: Vec<(Tag, Name, AccountFact)>,
    /// Notices that were delivered.
    pub notices: Vec<(Tag, NoticeFact)>,
    /// Choices about chats.
    pub choices: Vec<(Tag, Timestamp, Wish)>,
    /// Preferences, with the account and its platform.
    pub preferences: Vec<(Tag, Name, PreferenceFact)>,
    /// Accounts that were linked.
    pub links: Vec<Link>,
    /// Accounts that were unlinked.
    pub unlinks: Vec<(Tag, Timestamp)>,
    /// What was taken back: whose, what, up to when.
    pub deletions: Vec<(Tag, Deletion, Timestamp)>,
    /// Conversations to shut.
    pub seals: Vec<Seal>,
    /// Rows to keep.
    pub contributions: Vec<Contribution>,
    /// Outcomes to count, by reason.
    pub counts: BTreeMap<&'static str, u64>,
    /// How far the log was taken in with this batch.
    pub position: Option<Position>,
}
