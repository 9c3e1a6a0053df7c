//! What became of the lines: counts by outcome, and the lines that did not fit.

use crate::events::BadLine;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many lines with trouble are listed; all are counted.
const LISTED: usize = 100;

/// A line that did not fit.
#[derive(Clone, Debug, Serialize)]
pub struct Trouble {
    /// Its number, from 1.
    pub line: u64,
    /// What was wrong with it.
    #[serde(flatten)]
    pub what: BadLine,
}

/// How many events ended how.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(BTreeMap<&'static str, u64>);

/// Something was learned.
pub const USED: &str = "used";
/// It could be used, and was about nothing that is an interest.
pub const NOTHING: &str = "nothing_of_interest";
/// Its conversation had been shut before.
pub const SHUT: &str = "shut";
/// An activity of an item that nobody has told of.
pub const UNKNOWN_ITEM: &str = "unknown_item";
/// What is known of an account, not said or done.
pub const KNOWN: &str = "known";

impl Outcomes {
    /// One more that ended so.
    pub fn add(&mut self, outcome: &'static str) {
        *self.0.entry(outcome).or_default() += 1;
    }

    /// One that would have been used was in a shut conversation.
    pub fn used_but_shut(&mut self) {
        if let Some(used) = self.0.get_mut(USED) {
            *used = used.saturating_sub(1);
        }
        self.add(SHUT);
    }

    /// Adds them to counters.
    pub fn count(&self, counters: &mut BTreeMap<&'static str, u64>) {
        for (outcome, events) in &self.0 {
            *counters.entry(outcome).or_default() += events;
        }
    }
}

/// What an ingest did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Lines that were read; blank ones are not counted.
    pub lines: u64,
    /// How many events ended how.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How many lines did not fit.
    pub bad_lines: u64,
    /// The first of them.
    pub bad: Vec<Trouble>,
    /// How many items were taken in.
    pub items: u64,
}

impl Report {
    /// Adds what became of some lines.
    pub fn add(&mut self, outcomes: &Outcomes, lines: u64, troubles: Vec<Trouble>) {
        self.lines += lines;
        outcomes.count(&mut self.outcomes);
        self.outcomes.retain(|_, events| *events > 0);
        self.trouble(troubles);
    }

    /// Adds another report.
    pub fn add_all(&mut self, other: Self) {
        self.lines += other.lines;
        self.items += other.items;
        for (outcome, events) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += events;
        }
        let unlisted = other.bad_lines - other.bad.len() as u64;
        self.trouble(other.bad);
        self.bad_lines += unlisted;
    }

    /// Adds lines that did not fit.
    pub fn trouble(&mut self, troubles: Vec<Trouble>) {
        self.bad_lines += troubles.len() as u64;
        let room = LISTED.saturating_sub(self.bad.len());
        self.bad.extend(troubles.into_iter().take(room));
    }
}
