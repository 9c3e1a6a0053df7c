//! A profile is a reduction over rows. It is computed on reading and never stored, so there is no
//! cache that could remember what was deleted.

use crate::chat::{Name, Tag};
use crate::gate;
use crate::ledger::{Contribution, Source};
use crate::policy::{Choosing, Policy};
use crate::standing::{About, History, Standing, Taste, Wish};
use crate::taxonomy::Interest;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What one certain, fresh turn comes to.
pub const UNIT: u64 = 1_000_000;

/// In one day an interest can come to no more than this many times what one certain turn gives.
const DAY_LIMIT: u64 = 4;

/// One account of a person, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub account: Tag,
    /// In which app.
    pub platform: Name,
    /// What is known.
    pub history: History,
}

/// All that is held of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The linked accounts, by tag.
    pub members: Vec<Member>,
    /// Their rows, in any order.
    pub rows: Vec<Contribution>,
}

/// How rows are looked at: the policy in force, the time, what the person chose.
#[derive(Clone, Debug)]
pub struct Lens<'a> {
    policy: &'a Policy,
    now: Timestamp,
    members: BTreeMap<Tag, &'a Member>,
    /// May anything that chats taught be used for this person now?
    chats: bool,
    /// Sources that are left out altogether (the counterfactual of an explanation).
    without: BTreeSet<Interest>,
    tastes: BTreeMap<Interest, Taste>,
    advertisers: BTreeMap<&'a str, Taste>,
}

impl<'a> Lens<'a> {
    /// The lens for a person at an instant.
    pub fn new(policy: &'a Policy, person: &'a Person, now: Timestamp) -> Self {
        let members: BTreeMap<_, _> = person.members.iter().map(|m| (m.account, m)).collect();
        let (mut tastes, mut advertisers) = (BTreeMap::new(), BTreeMap::new());
        for member in &person.members {
            for said in &member.history.preferences {
                if said.at > now || !member.history.holds(said.at) {
                    continue;
                }
                let newest = (said.at, said.taste);
                match &said.about {
                    About::Interest(interest) => {
                        let kept = tastes.entry(*interest).or_insert(newest);
                        *kept = newest.max(*kept);
                    }
                    About::Advertiser(advertiser) => {
                        let kept = advertisers.entry(advertiser.as_str()).or_insert(newest);
                        *kept = newest.max(*kept);
                    }
                }
            }
        }
        Self {
            policy,
            now,
            chats: chats_may_be_used(policy, person, now),
            members,
            without: BTreeSet::new(),
            tastes: tastes.into_iter().map(|(k, (_, taste))| (k, taste)).collect(),
            advertisers: advertisers.into_iter().map(|(k, (_, taste))| (k, taste)).collect(),
        }
    }

    /// The same lens without some interests: what the profile would be, had they not been there.
    #[must_use]
    pub fn without(mut self, interests: impl IntoIterator<Item = Interest>) -> Self {
        self.without.extend(interests);
        self
    }

    /// The instant it looks from.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the person wants of an advertiser.
    pub fn advertiser(&self, advertiser: &str) -> Taste {
        self.advertisers.get(advertiser).copied().unwrap_or(Taste::Clear)
    }

    /// What the person wants of an interest.
    pub fn taste(&self, interest: Interest) -> Taste {
        self.tastes.get(&interest).copied().unwrap_or(Taste::Clear)
    }

    /// May this row be used now? The gate is asked again, with the policy that is in force now
    /// and the standing that the account had then.
    pub fn sees(&self, row: &Contribution) -> bool {
        let Some(member) = self.members.get(&row.account) else { return false };
        let kept = SignedDuration::from_hours(24 * i64::from(self.policy.retention_days));
        if row.at > self.now
            || self.now.duration_since(row.at) >= kept
            || self.without.contains(&row.interest)
            || self.taste(row.interest) == Taste::Never
        {
            return false;
        }
        match row.facts() {
            Some(facts) => {
                let standing = member.history.standing(self.policy, row.at);
                self.chats && gate::refusal(self.policy, &standing, &facts).is_none()
            }
            None => {
                let standing =
                    Standing { forgotten: member.history.forgotten, ..Standing::default() };
                gate::deed_refusal(self.policy, &standing, &row.deed()).is_none()
            }
        }
    }

    /// 2^(-age / half-life) in 2^20ths: halve per half-life, a straight line in between.
    fn decay(&self, at: Timestamp) -> u64 {
        let hours = u64::try_from(self.now.duration_since(at).as_hours()).unwrap_or(0);
        let half_life = 24 * u64::from(self.policy.half_life_days.max(1));
        let (halvings, rest) = (hours / half_life, hours % half_life);
        if halvings >= 20 {
            return 0;
        }
        let whole = (1u64 << 20) >> halvings;
        whole - whole / 2 * rest / half_life
    }
}

/// May chats be used for this person at all, now? Asked at use (P8): who moved to an excluded
/// region, opted out, or turned out to be a minor is no longer served from chats. What any of the
/// linked accounts says against it counts for all of them.
fn chats_may_be_used(policy: &Policy, person: &Person, now: Timestamp) -> bool {
    let mut known = false;
    for member in &person.members {
        let standing = member.history.standing(policy, now);
        let young = standing.age.is_some_and(|age| age < policy.min_age);
        if standing.paused || policy.min_age > 0 && (young || standing.likely_minor) {
            return false;
        }
        let permission = standing.region.map(|region| policy.permission(region, now));
        // A pause counts also while it is not known where the account is.
        let choice = permission.map_or(policy.elsewhere.choice, |permission| permission.choice);
        let paused = choice != Choosing::None && standing.wish == Some(Wish::Out);
        let excluded = permission.is_some_and(|permission| !permission.apply);
        if excluded || paused {
            return false;
        }
        known |= permission.is_some();
    }
    known && !policy.kill_switch
}

/// Interests and their weights, in millionths of what one certain fresh turn gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Profile(BTreeMap<Interest, u64>);

impl Profile {
    /// A profile of given weights, for benches and tests.
    pub fn of(weights: impl IntoIterator<Item = (Interest, u64)>) -> Self {
        Self(weights.into_iter().filter(|(_, weight)| *weight > 0).collect())
    }

    /// The weight of an interest; 0 when it is not there.
    pub fn weight(&self, interest: Interest) -> u64 {
        self.0.get(&interest).copied().unwrap_or(0)
    }

    /// All interests, in the order of the taxonomy.
    pub fn iter(&self) -> impl Iterator<Item = (Interest, u64)> + '_ {
        self.0.iter().map(|(interest, weight)| (*interest, *weight))
    }

    /// All interests, the heaviest first.
    pub fn heaviest(&self) -> Vec<(Interest, u64)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Rows of the same interest, grouped by day: (interest, day) → rows, the newest instant, the sum
/// of the weights.
type Days<'a> = BTreeMap<(Interest, i64), (Vec<&'a Contribution>, Timestamp, u64)>;

fn days<'a>(rows: impl IntoIterator<Item = &'a Contribution>, lens: &Lens) -> Days<'a> {
    let mut set: BTreeMap<_, &Contribution> = BTreeMap::new();
    for row in rows {
        let kept = set.entry((row.account, row.source, row.event, row.interest)).or_insert(row);
        *kept = (*kept).max(row);
    }
    let mut days = Days::new();
    for row in set.into_values().filter(|row| lens.sees(row)) {
        let day = row.at.as_second().div_euclid(86_400);
        let (rows, newest, sum) = days.entry((row.interest, day)).or_insert((vec![], row.at, 0));
        *newest = row.at.max(*newest);
        *sum += strength(row);
        rows.push(row);
    }
    days
}

/// What a row weighs before its day is looked at, in thousandths.
fn strength(row: &Contribution) -> u64 {
    let share = match row.source {
        Source::Chat | Source::Like => 1000,
        Source::Follow | Source::Join => 1200,
        Source::View => 200,
    };
    u64::from(row.weight.0) * share / 1000
}

/// What a day comes to: rising with each row, but never past [`DAY_LIMIT`], so that one talkative
/// day does not own a profile.
fn saturate(sum: u64) -> u64 {
    let room = 1000 * (DAY_LIMIT - 1);
    UNIT * DAY_LIMIT * sum / (sum + room)
}

/// Reduces rows to a profile. A row that comes twice counts once; the order does not matter; what
/// the lens does not see is not there.
pub fn reduce<'a>(rows: impl IntoIterator<Item = &'a Contribution>, lens: &Lens) -> Profile {
    let mut profile = Profile::default();
    for ((interest, _), (_, newest, sum)) in days(rows, lens) {
        let worth = (saturate(sum) * lens.decay(newest)) >> 20;
        if worth > 0 {
            *profile.0.entry(interest).or_default() += worth;
        }
    }
    for (interest, taste) in &lens.tastes {
        if lens.without.contains(interest) {
            continue;
        }
        match taste {
            Taste::More => *profile.0.entry(*interest).or_default() += UNIT,
            Taste::Less => {
                if let Some(weight) = profile.0.get_mut(interest) {
                    *weight /= 4;
                }
            }
            Taste::Clear | Taste::Never => {}
        }
    }
    profile
}

/// The rows behind each interest with the part of its weight that each brought, the greatest
/// first. The parts of an interest add up to its weight before any `more` or `less`, but for
/// rounding down.
pub fn behind<'a>(
    rows: impl IntoIterator<Item = &'a Contribution>,
    lens: &Lens,
) -> BTreeMap<Interest, Vec<(&'a Contribution, u64)>> {
    let mut found: BTreeMap<Interest, Vec<(&Contribution, u64)>> = BTreeMap::new();
    for ((interest, _), (rows, newest, sum)) in days(rows, lens) {
        let worth = (saturate(sum) * lens.decay(newest)) >> 20;
        for row in rows {
            let part = worth * strength(row) / sum.max(1);
            if part > 0 {
                found.entry(interest).or_default().push((row, part));
            }
        }
    }
    for parts in found.values_mut() {
        parts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    }
    found
}
