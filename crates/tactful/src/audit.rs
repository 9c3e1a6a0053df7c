//! `tactful audit`: does every row that is held stand under the policy in force? Asked of the rows
//! themselves, so it can be asked by who did not write them.

use crate::data::Data;
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use tactful_core::gate;
use tactful_core::policy::Policy;

/// What was found. Counts only: nobody is named.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// The policy that was asked.
    policy: String,
    /// Accounts of which anything is held.
    accounts: u64,
    /// Rows that are seen.
    rows: u64,
    /// Rows of chats by what the policy in force says of them: `admitted`, or why not. One that is
    /// not admitted is not used, and is gone with its retention; it may stem from an earlier policy.
    chats: BTreeMap<&'static str, u64>,
    /// Rows of activities.
    activities: u64,
    /// Rows by the policy that let them in.
    by_policy: BTreeMap<String, u64>,
    /// Rows by the model that read them.
    by_model: BTreeMap<String, u64>,
    /// Rows past their retention: a sweep takes them out.
    past_retention: u64,
    /// Rows of the future: a clock was wrong.
    of_the_future: u64,
    /// Rows that are held though their conversation is shut or they were taken back. Nobody sees
    /// them, but they must not be there.
    held_unseen: u64,
}

impl Audit {
    /// Is what must never be there not there?
    pub fn holds(&self) -> bool {
        self.held_unseen == 0
    }
}

/// Looks at every row.
///
/// # Errors
/// When the store refuses.
pub fn audit(data: &mut Data, policy: &Policy, at: Timestamp) -> Result<Audit> {
    let mut found = Audit { policy: policy.version.clone(), ..Audit::default() };
    let kept = jiff::SignedDuration::from_hours(24 * i64::from(policy.retention_days));
    for account in data.store.accounts()? {
        found.accounts += 1;
        let history = data.store.history(account)?;
        for row in data.store.rows(account)? {
            found.rows += 1;
            *found.by_policy.entry(format!("{:016x}", row.policy.0)).or_default() += 1;
            *found.by_model.entry(format!("{:016x}", row.model.0)).or_default() += 1;
            found.past_retention += u64::from(at.duration_since(row.at) >= kept);
            found.of_the_future += u64::from(row.at > at);
            let Some(facts) = row.facts() else {
                found.activities += 1;
                continue;
            };
            let standing = history.standing(policy, row.at);
            let verdict = gate::refusal(policy, &standing, &facts);
            *found.chats.entry(verdict.map_or("admitted", gate::Refusal::code)).or_default() += 1;
        }
    }
    found.held_unseen = data.store.held_unseen()?;
    Ok(found)
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Under policy {}", self.policy)?;
        writeln!(f, "{:>10}  accounts", self.accounts)?;
        writeln!(f, "{:>10}  rows, {} of them of activities", self.rows, self.activities)?;
        for (verdict, rows) in &self.chats {
            writeln!(f, "{rows:>10}  of chats: {verdict}")?;
        }
        for (name, rows) in &self.by_policy {
            writeln!(f, "{rows:>10}  let in by the policy with the id {name}")?;
        }
        for (name, rows) in &self.by_model {
            writeln!(f, "{rows:>10}  read by the model {name}")?;
        }
        writeln!(f, "{:>10}  past their retention (tactful sweep)", self.past_retention)?;
        writeln!(f, "{:>10}  of the future", self.of_the_future)?;
        writeln!(f, "{:>10}  held though shut or taken back: must be none", self.held_unseen)
    }
}
