//! One chunk of lines → what became of each.

use super::report::{KNOWN, NOTHING, Outcomes, SHUT, Trouble, UNKNOWN_ITEM, USED};
use crate::events::{BadLine, Event, Line, Target};
use crate::identity::Keyring;
use crate::lines::Chunk;
use std::collections::BTreeMap;
use tactful_core::chat::{Facts, Tag, Turn};
use tactful_core::gate::{self, Deed, Refusal};
use tactful_core::ledger::{self, Contribution};
use tactful_core::policy::Policy;
use tactful_core::reading::Reader;
use tactful_core::standing::History;
use tactful_core::taxonomy::Taxonomy;
use tactful_core::{Outcome, digest, firewall};
use tactful_store::batch::Seal;
use tactful_store::{Store, StoreError};

/// Accounts whose history one thread remembers; past that it forgets all and begins again.
const REMEMBERED: usize = 65_536;

/// What became of a chunk.
#[derive(Default)]
pub struct ChunkOutcome {
    /// Bytes of the log up to its end.
    pub end: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// How many ended how.
    pub outcomes: Outcomes,
    /// Rows, one list an event that taught something, in the order of the log.
    pub learned: Vec<Vec<Contribution>>,
    /// Seals, each with the number of lists of `learned` that come before it.
    pub seals: Vec<(usize, Seal)>,
    /// Lines that did not fit.
    pub troubles: Vec<Trouble>,
}

/// What became of one event.
pub struct Judged {
    /// How it ended.
    pub code: &'static str,
    /// What it taught.
    pub rows: Vec<Contribution>,
    /// The conversation that it shuts.
    pub seal: Option<Seal>,
}

impl Judged {
    fn ended(code: &'static str) -> Self {
        Self { code, rows: Vec::new(), seal: None }
    }

    fn learned(rows: Vec<Contribution>) -> Self {
        Self { code: if rows.is_empty() { NOTHING } else { USED }, rows, seal: None }
    }
}

/// What a thread needs to judge what was said and done.
pub struct Said<'a, R> {
    store: &'a mut Store,
    keyring: &'a Keyring,
    taxonomy: &'a Taxonomy,
    policy: &'a Policy,
    reader: &'a R,
    histories: BTreeMap<Tag, History>,
    /// Of the conversations that came by: are they shut?
    shut: BTreeMap<Tag, bool>,
}

impl<'a, R: Reader> Said<'a, R> {
    /// With a store of the thread's own.
    pub fn new(
        store: &'a mut Store,
        keyring: &'a Keyring,
        taxonomy: &'a Taxonomy,
        policy: &'a Policy,
        reader: &'a R,
    ) -> Self {
        Self {
            store,
            keyring,
            taxonomy,
            policy,
            reader,
            histories: BTreeMap::new(),
            shut: BTreeMap::new(),
        }
    }

    /// Judges the lines of a chunk.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn chunk(&mut self, chunk: &Chunk) -> Result<ChunkOutcome, StoreError> {
        let mut outcome = ChunkOutcome { end: chunk.end, ..ChunkOutcome::default() };
        for line in &chunk.too_long {
            let what = BadLine {
                field: "line",
                expected: format!("longer than {} bytes", crate::lines::LONGEST_LINE).into(),
            };
            outcome.troubles.push(Trouble { line: *line, what });
        }
        outcome.lines = chunk.too_long.len() as u64;
        for (number, line) in (chunk.first_line..).zip(chunk.bytes.split(|b| *b == b'\n')) {
            if line.trim_ascii().is_empty() || line.len() > crate::lines::LONGEST_LINE {
                continue;
            }
            outcome.lines += 1;
            match Line::split(line).and_then(|l| l.event(self.keyring, self.taxonomy)) {
                Ok(event) => self.event(event, &mut outcome)?,
                Err(what) => outcome.troubles.push(Trouble { line: number, what }),
            }
        }
        outcome.troubles.sort_by_key(|trouble| trouble.line);
        Ok(outcome)
    }

    fn event(&mut self, event: Event, outcome: &mut ChunkOutcome) -> Result<(), StoreError> {
        let Judged { code, rows, seal } = self.judge(event)?;
        outcome.outcomes.add(code);
        outcome.seals.extend(seal.map(|seal| (outcome.learned.len(), seal)));
        if !rows.is_empty() {
            outcome.learned.push(rows);
        }
        Ok(())
    }

    /// Judges one event. What is known of an account is only named here: it was written before.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn judge(&mut self, event: Event) -> Result<Judged, StoreError> {
        match event {
            Event::Turn(turn) => self.turn(*turn),
            Event::Activity(deed, target) => self.activity(deed, target),
            known => Ok(Judged::ended(known_as(&known, self.policy))),
        }
    }

    fn turn(&mut self, turn: Turn) -> Result<Judged, StoreError> {
        let facts = turn.facts;
        let policy = self.policy;
        let standing = self.history(facts.account)?.standing(policy, facts.at);
        if gate::refusal(policy, &standing, &facts).is_none() && self.is_shut(&facts)? {
            // Whatever it says, it gives nothing: it is not read. The conversation goes on, so the
            // mark stays as long as this turn would have been kept.
            let seal = super::seal_of(facts.account, facts.conversation, facts.at, policy);
            return Ok(Judged { seal: Some(seal), ..Judged::ended(SHUT) });
        }
        Ok(match digest(policy, &standing, self.reader, turn) {
            Outcome::Refused(refusal) => Judged::ended(refusal.code()),
            Outcome::Stopped { why, seal } => {
                if seal.is_some() {
                    self.shut.insert(facts.conversation, true);
                }
                let seal = seal
                    .map(|_| super::seal_of(facts.account, facts.conversation, facts.at, policy));
                Judged { seal, ..Judged::ended(why.code()) }
            }
            Outcome::Learned(rows) => Judged::learned(rows),
        })
    }

    /// Was its conversation shut before, as far as this thread knows? (What it does not know yet,
    /// the writer finds out.)
    fn is_shut(&mut self, facts: &Facts) -> Result<bool, StoreError> {
        if self.shut.len() >= REMEMBERED && !self.shut.contains_key(&facts.conversation) {
            self.shut.clear();
        }
        if let Some(shut) = self.shut.get(&facts.conversation) {
            return Ok(*shut);
        }
        let shut = !self.store.shut([(facts.account, facts.conversation)])?.is_empty();
        self.shut.insert(facts.conversation, shut);
        Ok(shut)
    }

    fn activity(&mut self, deed: Deed, target: Target) -> Result<Judged, StoreError> {
        let policy = self.policy;
        let standing = self.history(deed.account)?.standing(policy, deed.at);
        let found = match target {
            Target::Item(item) => {
                if let Some(refusal) = gate::deed_refusal(policy, &standing, &deed) {
                    return Ok(Judged::ended(refusal.code()));
                }
                match self.store.item_interests(&item)? {
                    Some(found) => found,
                    None => return Ok(Judged::ended(UNKNOWN_ITEM)),
                }
            }
            Target::Text(words) => match gate::admit_deed(policy, &standing, deed, words) {
                Err(refusal) => return Ok(Judged::ended(refusal.code())),
                Ok(admitted) => match firewall::screen(self.reader, admitted) {
                    Err(stop) => return Ok(Judged::ended(stop.code())),
                    Ok(cleared) => cleared
                        .findings()
                        .iter()
                        .map(|found| (found.interest, found.weight, found.stage))
                        .collect(),
                },
            },
        };
        let model = self.reader.model();
        Ok(Judged::learned(ledger::deed_contributions(deed, &found, policy.id, model)))
    }

    fn history(&mut self, account: Tag) -> Result<&History, StoreError> {
        if self.histories.len() >= REMEMBERED && !self.histories.contains_key(&account) {
            self.histories.clear();
        }
        if !self.histories.contains_key(&account) {
            let history = self.store.history(account)?;
            self.histories.insert(account, history);
        }
        Ok(self.histories.entry(account).or_default())
    }
}

/// How an event ends that says what is known of an account.
pub fn known_as(event: &Event, policy: &Policy) -> &'static str {
    match event.platforms().iter().all(|name| policy.platforms.contains(name)) {
        true => KNOWN,
        false => Refusal::UnknownPlatform.code(),
    }
}
