//! What may not be shown to this person, whatever it scores. Named rules in a fixed order; the
//! first that excludes decides.

use super::index::Facets;
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

/// Shown to everybody, not only to friends.
const PUBLIC: Facets = 1;

/// Shown in every region, and where the region is not known.
const EVERYWHERE: Facets = 1 << 1;

/// What the index can tell of an item without opening it: bit 0 that it is for everybody, bit 1
/// that it is for every region, bits 2 to 15 some regions, bits 16 to 31 some languages. Several
/// regions share a bit, and several languages: what lacks a bit that [`needs`] names is excluded,
/// what has them all may be.
pub fn facets(item: &Item) -> Facets {
    let public = if item.friends_only { 0 } else { PUBLIC };
    let regions = match item.regions.is_empty() {
        true => Facets::from(u16::MAX) - PUBLIC,
        false => item.regions.iter().map(region_facet).fold(0, |all, one| all | one),
    };
    let languages = match &item.language {
        None => Facets::from(u16::MAX) << 16,
        Some(language) => language_facet(language),
    };
    public | regions | languages
}

/// The facets that every item has which may be shown.
pub fn needs(setting: &Setting) -> Facets {
    let public = if setting.friends.is_empty() { PUBLIC } else { 0 };
    let region = setting.region.as_ref().map_or(EVERYWHERE, region_facet);
    let language = setting.language.as_deref().map_or(0, language_facet);
    public | region | language
}

fn region_facet(region: &Region) -> Facets {
    let sum: u32 = region.as_str().bytes().fold(0, |sum, b| sum * 31 + u32::from(b));
    1 << (2 + sum % 14)
}

fn language_facet(language: &str) -> Facets {
    let sum: u32 = language.bytes().fold(0, |sum: u32, b| sum.wrapping_mul(31) + u32::from(b));
    1 << (16 + sum % 16)
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
