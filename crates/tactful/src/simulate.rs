//! `tactful policy simulate`: what another policy would have changed. From a log, exactly: it is
//! taken in twice, into folders that are thrown away. From the rows alone, what is seen of them;
//! what the policy in force refused left nothing to look at.

use crate::data::Data;
use crate::ingest::{Options, ingest};
use crate::show::profile_view;
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use tactful_core::policy::Policy;

/// A count under the policy in force, and under the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    now: u64,
    with: u64,
}

/// What would have changed.
#[derive(Debug, Serialize)]
pub struct Simulated {
    /// The policy in force.
    policy: String,
    /// The other one.
    with: String,
    /// Of the log's events, by outcome; empty without a log.
    outcomes: BTreeMap<&'static str, Change>,
    /// People with a profile.
    people: Change,
    /// People whose profile would be another.
    changed: u64,
    /// People by interest, where the two differ.
    interests: BTreeMap<String, Change>,
}

/// A person's interests with their weights, under each of two policies.
type Profiles = BTreeMap<String, BTreeMap<String, String>>;

/// Compares two policies over logs, or over the rows that are held when there is none.
///
/// # Errors
/// When a log cannot be read or a store refuses.
pub fn simulate(
    data: &mut Data,
    policies: [&Policy; 2],
    logs: &[PathBuf],
    at: Timestamp,
) -> Result<Simulated> {
    let mut outcomes: BTreeMap<&'static str, Change> = BTreeMap::new();
    let [now, with] = policies;
    let profiles = if logs.is_empty() {
        [profiles(data, now, at)?, profiles(data, with, at)?]
    } else {
        let folder = std::env::temp_dir().join(format!("tactful-simulate-{}", std::process::id()));
        let taken = take_in_twice(&folder, policies, logs, at, &mut outcomes);
        // A log is sensitive: nothing of it stays, whatever happened.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        taken?
    };
    let [before, after] = &profiles;
    let mut interests: BTreeMap<String, Change> = BTreeMap::new();
    for person in before.values().flat_map(BTreeMap::keys) {
        interests.entry(person.clone()).or_default().now += 1;
    }
    for person in after.values().flat_map(BTreeMap::keys) {
        interests.entry(person.clone()).or_default().with += 1;
    }
    interests.retain(|_, change| change.now != change.with);
    let all = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let changed = all.into_iter().filter(|person| before.get(*person) != after.get(*person));
    Ok(Simulated {
        policy: now.version.clone(),
        with: with.version.clone(),
        outcomes,
        people: Change { now: before.len() as u64, with: after.len() as u64 },
        changed: changed.count() as u64,
        interests,
    })
}

fn take_in_twice(
    folder: &Path,
    [now, with]: [&Policy; 2],
    logs: &[PathBuf],
    at: Timestamp,
    outcomes: &mut BTreeMap<&'static str, Change>,
) -> Result<[Profiles; 2]> {
    let mut take_in = |name: &str, policy: &Policy, count: fn(&mut Change) -> &mut u64| {
        let key = folder.join("key");
        let mut data = Data::open(&folder.join(name), Some(&key), None, true)?;
        let model = crate::data::model(&data.taxonomy)?;
        let options = Options { strict: false, progress: true };
        let report = ingest(logs, &mut data, policy, &model, &options)?;
        for (outcome, events) in report.outcomes {
            *count(outcomes.entry(outcome).or_default()) += events;
        }
        profiles(&mut data, policy, at)
    };
    Ok([take_in("now", now, |c| &mut c.now)?, take_in("with", with, |c| &mut c.with)?])
}

/// Everyone's interests, whoever has any.
fn profiles(data: &mut Data, policy: &Policy, at: Timestamp) -> Result<Profiles> {
    let mut profiles = Profiles::new();
    for account in data.store.accounts()? {
        let person = data.store.person(account, at, policy.cross_platform)?;
        if person.members.first().is_none_or(|first| first.account != account) {
            continue;
        }
        let view = profile_view(&person, policy, &data.taxonomy, at);
        let interests: BTreeMap<String, String> = view
            .interests
            .into_iter()
            .map(|interest| (interest.id, format!("{:.6}", interest.weight)))
            .collect();
        if !interests.is_empty() {
            profiles.insert(account.to_string(), interests);
        }
    }
    Ok(profiles)
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (in force) against {}", self.policy, self.with)?;
        let mut line = |what: &str, change: &Change| {
            let differs = if change.now == change.with { " " } else { "*" };
            writeln!(f, "{differs} {:>10} {:>10}  {what}", change.now, change.with)
        };
        line("people with a profile", &self.people)?;
        for (outcome, change) in &self.outcomes {
            line(outcome, change)?;
        }
        for (interest, change) in &self.interests {
            line(&format!("people interested in {interest}"), change)?;
        }
        writeln!(f, "{} people would have another profile.", self.changed)?;
        if self.outcomes.is_empty() {
            writeln!(
                f,
                "Seen from the rows alone: what the policy in force refused left nothing to look at. \
                 With a log, it is compared whole."
            )?;
        }
        Ok(())
    }
}
