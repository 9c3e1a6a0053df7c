//! A log into a store: what is known of the accounts first, then what was said and done.
//!
//! Two passes over every file, so that the order of the lines does not matter: a turn is judged by
//! what was true of its account when it was said, wherever in the log that stands. Turns are read
//! by as many threads as there are cores and committed in the order of the log, each commit with
//! the position that it reaches, so a run that was killed goes on where it was.

mod progress;
mod report;
mod said;

pub use report::{NOTHING, Report, SHUT, Trouble, USED};
pub use said::{Judged, Said};

use crate::data::Data;
use crate::events::{Event, Line};
use crate::lines::{Chunk, Lines, open};
use anyhow::{Context, Result, bail};
use jiff::{RoundMode, TimestampRound, Unit};
use progress::Progress;
use said::{ChunkOutcome, known_as};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tactful_core::chat::Tag;
use tactful_core::policy::Policy;
use tactful_core::reading::Reader;
use tactful_store::batch::{Batch, Position, Seal};
use tactful_store::{Store, StoreError};

/// Turns that are committed together.
const TURNS_PER_COMMIT: usize = 16_384;

/// How a log is taken in.
pub struct Options {
    /// Stop at the first line that does not fit.
    pub strict: bool,
    /// Show a bar, if this is a terminal.
    pub progress: bool,
}

/// Takes logs in.
///
/// # Errors
/// When a file cannot be read, the store refuses, or (with `strict`) a line does not fit.
pub fn ingest(
    files: &[PathBuf],
    data: &mut Data,
    policy: &Policy,
    reader: &(impl Reader + Sync),
    options: &Options,
) -> Result<Report> {
    let mut report = Report::default();
    let mut logs = Vec::new();
    for file in files {
        let known = know(file, data, policy)
            .with_context(|| format!("cannot take in {}", file.display()))?;
        logs.push(known);
    }
    for (file, log) in files.iter().zip(logs) {
        say(file, log, data, policy, reader, options, &mut report)
            .with_context(|| format!("cannot take in {}", file.display()))?;
    }
    Ok(report)
}

/// The first pass: what is known of the accounts, and the tag of the log's content. Lines that do
/// not fit are left for the second pass to report.
fn know(file: &Path, data: &mut Data, policy: &Policy) -> Result<Tag> {
    if file.as_os_str() == "-" {
        bail!("standard input cannot be read twice, and a log is: give a file");
    }
    let mut lines = Lines::new(open(file)?);
    let mut hasher = blake3::Hasher::new();
    let mut batch = Batch::default();
    let mut events = 0usize;
    while let Some(chunk) = lines.next_chunk()? {
        hasher.update(&chunk.bytes);
        for line in chunk.bytes.split(|byte| *byte == b'\n') {
            if line.len() > crate::lines::LONGEST_LINE {
                continue;
            }
            let Ok(line) = Line::split(line) else { continue };
            if line.is_said_or_done() {
                continue;
            }
            if let Ok(event) = line.event(&data.keyring, &data.taxonomy) {
                add_known(&mut batch, event, policy);
                events += 1;
            }
        }
        if events >= TURNS_PER_COMMIT {
            data.store.commit(&std::mem::take(&mut batch), policy)?;
            events = 0;
        }
    }
    data.store.commit(&batch, policy)?;
    Ok(data.keyring.tag("log", &[hasher.finalize().as_bytes()]))
}

/// Adds what an event says of an account, and tells how it ends.
pub fn add_known(batch: &mut Batch, event: Event, policy: &Policy) -> &'static str {
    let ended = known_as(&event, policy);
    if ended != report::KNOWN {
        return ended;
    }
    match event {
        Event::Account(account, platform, fact) => batch.facts.push((account, platform, fact)),
        Event::Link(center, at, accounts) => batch.links.push((center, at, accounts)),
        Event::Unlink(account, _, at) => batch.unlinks.push((account, at)),
        Event::Notice(account, _, Some(fact)) => batch.notices.push((account, fact)),
        Event::Notice(_, _, None) | Event::Turn(_) | Event::Activity(..) => {}
        Event::Choice(account, _, at, wish) => batch.choices.push((account, at, wish)),
        Event::Preference(account, platform, fact) => {
            batch.preferences.push((account, platform, fact));
        }
        Event::Delete(account, _, what, until) => batch.deletions.push((account, what, until)),
    }
    ended
}

/// The second pass: what was said and done.
fn say(
    file: &Path,
    log: Tag,
    data: &mut Data,
    policy: &Policy,
    reader: &(impl Reader + Sync),
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let before = data.store.position(log)?;
    let resume = match before {
        Some(Position { position, complete: false, .. }) => position,
        _ => 0,
    };
    // A log that was taken in before changes no row; it must not be counted again either.
    let count = !before.is_some_and(|position| position.complete);
    let progress = Progress::new(file, options.progress);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (to_workers, chunks) = sync_channel::<(u64, Chunk)>(2 * workers);
    let (from_workers, outcomes) = sync_channel(2 * workers);
    let chunks = Arc::new(Mutex::new(chunks));
    let location = data.location.clone();
    let (keyring, taxonomy) = (data.keyring.clone(), Arc::clone(&data.taxonomy));
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..workers {
            let (chunks, from_workers) = (Arc::clone(&chunks), from_workers.clone());
            let (location, keyring, taxonomy) =
                (location.clone(), keyring.clone(), Arc::clone(&taxonomy));
            scope.spawn(move || {
                let mut store = match Store::open(&location, Arc::clone(&taxonomy)) {
                    Ok(store) => store,
                    Err(error) => return drop(from_workers.send((0, Err(error)))),
                };
                let mut said = Said::new(&mut store, &keyring, &taxonomy, policy, reader);
                while let Some((number, chunk)) = next(&chunks) {
                    if from_workers.send((number, said.chunk(&chunk))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(from_workers);
        drop(chunks);
        let source = open(file)?;
        let reading = scope.spawn(move || -> std::io::Result<()> {
            let mut lines = Lines::new(source);
            let mut number = 0;
            while let Some(chunk) = lines.next_chunk()? {
                if chunk.end <= resume {
                    continue;
                }
                if to_workers.send((number, chunk)).is_err() {
                    break;
                }
                number += 1;
            }
            Ok(())
        });
        let written = write(&outcomes, log, count, data, policy, options, &progress, report);
        // Ends the workers and the reading, if it was an error that ended the writing.
        drop(outcomes);
        written?;
        match reading.join() {
            Ok(read) => read?,
            Err(_) => bail!("the thread that reads the log ended early"),
        }
        Ok(())
    })
}

fn next(chunks: &Mutex<Receiver<(u64, Chunk)>>) -> Option<(u64, Chunk)> {
    chunks.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

type Outcome = (u64, Result<ChunkOutcome, StoreError>);

/// Commits what the workers made of the chunks, in the order of the log.
#[expect(clippy::too_many_arguments, reason = "one call; the pieces have one owner each")]
fn write(
    outcomes: &Receiver<Outcome>,
    log: Tag,
    count: bool,
    data: &mut Data,
    policy: &Policy,
    options: &Options,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    let mut waiting = BTreeMap::new();
    let mut wanted = 0;
    let mut pending = Pending::default();
    for (number, outcome) in outcomes {
        waiting.insert(number, outcome?);
        while let Some(outcome) = waiting.remove(&wanted) {
            wanted += 1;
            progress.reach(outcome.end, outcome.lines);
            if let (true, Some(trouble)) = (options.strict, outcome.troubles.first()) {
                pending.commit(log, false, count, data, policy)?;
                bail!("line {}: {}", trouble.line, trouble.what);
            }
            pending.add(outcome, data, report)?;
            if pending.turns >= TURNS_PER_COMMIT {
                pending.commit(log, false, count, data, policy)?;
            }
        }
    }
    pending.commit(log, true, count, data, policy)?;
    progress.done();
    Ok(())
}

/// What waits to be committed.
#[derive(Default)]
struct Pending {
    batch: Batch,
    shut: BTreeSet<Tag>,
    turns: usize,
    end: u64,
}

impl Pending {
    fn add(&mut self, chunk: ChunkOutcome, data: &mut Data, report: &mut Report) -> Result<()> {
        let spoken = chunk.learned.iter().flatten();
        let spoken = spoken.map(|row| (row.account, row.conversation)).collect::<BTreeSet<_>>();
        self.shut.extend(data.store.shut(spoken)?);
        let mut outcomes = chunk.outcomes;
        let mut seals = chunk.seals.into_iter().peekable();
        for (at, rows) in chunk.learned.into_iter().enumerate() {
            while let Some((_, seal)) = seals.next_if(|(before, _)| *before <= at) {
                self.seal(seal);
            }
            let Some(first) = rows.first() else { continue };
            if self.shut.contains(&first.conversation) {
                outcomes.used_but_shut();
                continue;
            }
            self.batch.contributions.extend(rows);
        }
        for (_, seal) in seals {
            self.seal(seal);
        }
        outcomes.count(&mut self.batch.counts);
        self.turns += chunk.lines as usize;
        self.end = chunk.end;
        report.add(&outcomes, chunk.lines, chunk.troubles);
        Ok(())
    }

    fn seal(&mut self, seal: Seal) {
        self.shut.insert(seal.conversation);
        self.batch.seals.push(seal);
    }

    fn commit(
        &mut self,
        log: Tag,
        complete: bool,
        count: bool,
        data: &mut Data,
        policy: &Policy,
    ) -> Result<(), StoreError> {
        let mut batch = std::mem::take(&mut self.batch);
        if !count {
            batch.counts.clear();
        }
        batch.position = Some(Position { log, position: self.end, complete: complete || !count });
        data.store.commit(&batch, policy)?;
        *self = Self { end: self.end, ..Self::default() };
        Ok(())
    }
}

/// The seal of a conversation that a turn shut.
pub fn seal_of(account: Tag, conversation: Tag, at: jiff::Timestamp, policy: &Policy) -> Seal {
    let kept = jiff::SignedDuration::from_hours(24 * i64::from(policy.retention_days));
    let expires = at.checked_add(kept).unwrap_or(jiff::Timestamp::MAX);
    // The end of that day: the mark is not to tell when the turn was.
    let whole = TimestampRound::new().smallest(Unit::Hour).increment(24).mode(RoundMode::Ceil);
    let expires = expires.round(whole).unwrap_or(expires);
    Seal { account, conversation, expires }
}
