//! Which accounts are one person's.
//!
//! A `link` event makes an accounts center of the accounts that it names; they are members from
//! its instant on. An `unlink` ends every membership that its account had up to then. A person is
//! what the centers join: all accounts that can be reached from one over common centers. Because
//! only instants decide, the order in which events arrive does not.

use crate::chat::Tag;
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};

/// The memberships of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships {
    /// Which centers it joined, and when.
    pub joined: Vec<(Tag, Timestamp)>,
    /// When it was unlinked or deleted.
    pub left: Vec<Timestamp>,
}

impl Memberships {
    /// The centers that it belongs to at an instant. Of a link and an unlink at the same instant
    /// the unlink counts.
    pub fn centers(&self, now: Timestamp) -> BTreeSet<Tag> {
        let left = self.left.iter().filter(|left| **left <= now).max();
        self.joined
            .iter()
            .filter(|(_, at)| *at <= now && left.is_none_or(|left| at > left))
            .map(|(center, _)| *center)
            .collect()
    }
}

/// All accounts of the person whom an account belongs to, itself among them.
///
/// # Errors
/// What the look-ups return.
pub fn person<E>(
    account: Tag,
    now: Timestamp,
    mut memberships: impl FnMut(Tag) -> Result<Memberships, E>,
    mut members: impl FnMut(Tag) -> Result<Vec<Tag>, E>,
) -> Result<BTreeSet<Tag>, E> {
    let mut person = BTreeSet::from([account]);
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([account]);
    while let Some(account) = queue.pop_front() {
        for center in memberships(account)?.centers(now) {
            if !seen.insert(center) {
                continue;
            }
            for member in members(center)? {
                if !person.contains(&member) && memberships(member)?.centers(now).contains(&center)
                {
                    person.insert(member);
                    queue.push_back(member);
                }
            }
        }
    }
    Ok(person)
}
