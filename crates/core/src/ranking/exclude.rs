//! What may not be shown to this person, whatever it scores. Named rules in a fixed order; the
//! first that excludes decides.

use super::item::Item;
use super::place::Place;
use crate::chat::Region;
use crate::standing::Taste;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What a request brings, and what is known of the person besides the profile.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The instant.
    pub now: Timestamp,
    /// Where the person is, for this request; not kept.
    pub place: Option<Place>,
    /// The person's friends, for this request; not kept.
    pub friends: BTreeSet<String>,
    /// The account's region.
    pub region: Option<Region>,
    /// The account's language.
    pub language: Option<String>,
    /// What the person wants of advertisers.
    pub advertisers: BTreeMap<String, Taste>,
    /// What was shown of each campaign, and when.
    pub shown: BTreeMap<String, Vec<Timestamp>>,
    /// What each campaign has spent, in millionths.
    pub spent: BTreeMap<String, u64>,
    /// The least that a response costs an advertiser, in millionths.
    pub reserve: u64,
}

/// Why an item may not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// Made after the instant of the request.
    NotYet,
    /// Only for the author's friends, and the person is none of them.
    Private,
    /// Not for this region.
    Region,
    /// In a language that is not the person's.
    Language,
    /// The person does not want this advertiser.
    Advertiser,
    /// The campaign is held back for now.
    Paused,
    /// The campaign was shown often enough.
    Capped,
    /// The campaign has no money left.
    Spent,
    /// It bids less than the reserve.
    Reserve,
}

type Rule = fn(&Setting, &Item) -> Option<Exclusion>;

/// The rules, in the order in which they are asked.
pub const RULES: [Rule; 9] =
    [not_yet, private, region, language, advertiser, paused, capped, spent, reserve];

/// Why an item may not be shown; `None` when it may.
pub fn exclusion(setting: &Setting, item: &Item) -> Option<Exclusion> {
    RULES.iter().find_map(|rule| rule(setting, item))
}

fn not_yet(setting: &Setting, item: &Item) -> Option<Exclusion> {
    (item.created > setting.now).then_some(Exclusion::NotYet)
}

fn private(setting: &Setting, item: &Item) -> Option<Exclusion> {
    let friend = item.author.as_ref().is_some_and(|author| setting.friends.contains(author));
    (item.friends_only && !friend).then_some(Exclusion::Private)
}

fn region(setting: &Setting, item: &Item) -> Option<Exclusion> {
    let here = setting.region.is_some_and(|region| item.regions.contains(&region));
    (!item.regions.is_empty() && !here).then_some(Exclusion::Region)
}

fn language(setting: &Setting, item: &Item) -> Option<Exclusion> {
    match (&setting.language, &item.language) {
        (Some(person), Some(item)) if person != item => Some(Exclusion::Language),
        _ => None,
    }
}

fn advertiser(setting: &Setting, item: &Item) -> Option<Exclusion> {
    let campaign = item.campaign.as_ref()?;
    let taste = setting.advertisers.get(&campaign.advertiser);
    (taste == Some(&Taste::Never)).then_some(Exclusion::Advertiser)
}

fn paused(_: &Setting, item: &Item) -> Option<Exclusion> {
    item.campaign.as_ref()?.paused.then_some(Exclusion::Paused)
}

fn capped(setting: &Setting, item: &Item) -> Option<Exclusion> {
    let campaign = item.campaign.as_ref()?;
    let cap = campaign.frequency_cap?;
    let window = SignedDuration::from_hours(24 * i64::from(cap.days));
    let shown = setting.shown.get(&campaign.id)?;
    let lately = shown.iter().filter(|at| setting.now.duration_since(**at).abs() < window);
    (lately.count() >= cap.count as usize).then_some(Exclusion::Capped)
}

fn spent(setting: &Setting, item: &Item) -> Option<Exclusion> {
    let campaign = item.campaign.as_ref()?;
    let spent = setting.spent.get(&campaign.id).copied().unwrap_or(0);
    (spent >= campaign.budget).then_some(Exclusion::Spent)
}

fn reserve(setting: &Setting, item: &Item) -> Option<Exclusion> {
    let campaign = item.campaign.as_ref()?;
    (campaign.bid < setting.reserve).then_some(Exclusion::Reserve)
}
