//! What is shown, and why.

use super::auction::{self, Bid, Won};
use super::diversity;
use super::exclude::{Setting, exclusion, needs};
use super::index::terms;
use super::inventory::Inventory;
use super::item::{Item, Surface};
use super::score::{Parts, response, score};
use crate::profile::Profile;
use crate::standing::Taste;
use crate::taxonomy::Interest;
use std::collections::{BTreeMap, BTreeSet};

/// Items that are scored for a slate, at most, by each of the ways to find some.
pub const CANDIDATES: usize = 200;

/// How deep the slate without the cause is looked through for `rank_without`.
pub const DEPTH: usize = 200;

/// One place of a slate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot<'a> {
    /// What is shown.
    pub item: &'a Item,
    /// What brought it here, in points.
    pub parts: Parts,
    /// Of an ad: what the auction said.
    pub won: Option<Won>,
    /// The place, from 1, that it would have had without the interests that brought it; `None`
    /// when it would not have been among the first [`DEPTH`].
    pub rank_without: Option<usize>,
}

impl Slot<'_> {
    /// The score that it was ranked by: points, or of an ad bid × response.
    pub fn score(&self) -> u128 {
        self.won.map_or(u128::from(self.parts.total()), |won| won.bid.score())
    }

    /// The interests that brought it.
    pub fn causes(&self) -> BTreeSet<Interest> {
        self.parts.interests.iter().map(|(interest, _)| *interest).collect()
    }
}

/// The slate of a surface. `without` gives the profile as it would be without some interests.
pub fn slate<'a>(
    inventory: &'a Inventory,
    surface: Surface,
    k: usize,
    setting: &Setting,
    profile: &Profile,
    without: impl Fn(&BTreeSet<Interest>) -> Profile,
) -> Vec<Slot<'a>> {
    let others = others(inventory, surface, k.max(DEPTH), setting);
    let mut slots = rank_with(&others, inventory, surface, k, setting, profile);
    let mut worlds: BTreeMap<BTreeSet<Interest>, Vec<&str>> = BTreeMap::new();
    for (at, slot) in slots.iter_mut().enumerate() {
        let causes = slot.causes();
        if causes.is_empty() {
            slot.rank_without = Some(at + 1);
            continue;
        }
        let world = worlds.entry(causes).or_insert_with_key(|causes| {
            let profile = without(causes);
            let slots = rank_with(&others, inventory, surface, DEPTH, setting, &profile);
            slots.into_iter().map(|slot| slot.item.id.as_str()).collect()
        });
        slot.rank_without = world.iter().position(|id| *id == slot.item.id).map(|at| at + 1);
    }
    slots
}

/// The slate without its counterfactuals.
pub fn rank<'a>(
    inventory: &'a Inventory,
    surface: Surface,
    k: usize,
    setting: &Setting,
    profile: &Profile,
) -> Vec<Slot<'a>> {
    let others = others(inventory, surface, k, setting);
    rank_with(&others, inventory, surface, k, setting, profile)
}

/// The candidates that no profile brings: the best, those of friends, the nearest.
fn others<'a>(
    inventory: &'a Inventory,
    surface: Surface,
    k: usize,
    setting: &Setting,
) -> Vec<&'a Item> {
    let most = CANDIDATES.max(k);
    let accept = |item: &Item| exclusion(setting, item).is_none();
    let mut items = inventory.best(surface, most, accept);
    let mut of_friends = inventory.of(surface, &setting.friends);
    of_friends.retain(|item| accept(item));
    of_friends.sort_by(|a, b| a.id.cmp(&b.id));
    items.extend(of_friends.into_iter().take(most));
    if let Some(place) = setting.place {
        items.extend(inventory.nearest(surface, place, most, accept));
    }
    items
}

fn rank_with<'a>(
    others: &[&'a Item],
    inventory: &'a Inventory,
    surface: Surface,
    k: usize,
    setting: &Setting,
    profile: &Profile,
) -> Vec<Slot<'a>> {
    let terms = terms(profile);
    let accept = |item: &Item| exclusion(setting, item).is_none();
    let mut items = inventory.search(surface, &terms, CANDIDATES.max(k), needs(setting), accept);
    items.extend(others);
    // From here on a candidate's number is its place by id: of equals, the lower id comes first.
    items.sort_by(|a, b| a.id.cmp(&b.id));
    items.dedup_by(|a, b| a.id == b.id);
    let highest = terms.iter().map(|(interest, _)| usize::from(interest.0) + 1).max();
    let mut strengths = vec![0; highest.unwrap_or(0)];
    for (interest, strength) in terms {
        strengths[usize::from(interest.0)] = strength;
    }
    let scored: Vec<_> = (0..)
        .zip(items)
        .map(|(number, item)| (number, item, score(setting, &strengths, item)))
        .collect();
    match surface {
        Surface::Ads => sell(scored, k, setting),
        _ => diversity::choose(scored, k)
            .into_iter()
            .map(|(_, item, parts)| Slot { item, parts, won: None, rank_without: None })
            .collect(),
    }
}

/// The auction, with one ad a campaign: its best.
fn sell<'a>(scored: Vec<(u32, &'a Item, Parts)>, k: usize, setting: &Setting) -> Vec<Slot<'a>> {
    let mut campaigns: BTreeMap<&str, (Bid, &Item, Parts)> = BTreeMap::new();
    for (number, item, parts) in scored {
        let Some(campaign) = &item.campaign else { continue };
        let less = setting.advertisers.get(&campaign.advertiser) == Some(&Taste::Less);
        let response = response(&parts, item) / if less { 4 } else { 1 };
        let bid = Bid { bidder: number, bid: campaign.bid, response: response.max(1) };
        match campaigns.get(campaign.id.as_str()) {
            Some((best, ..)) if best.score() >= bid.score() => {}
            _ => {
                campaigns.insert(&campaign.id, (bid, item, parts));
            }
        }
    }
    let bids: Vec<Bid> = campaigns.values().map(|(bid, ..)| *bid).collect();
    let mut by_number: BTreeMap<u32, (&Item, Parts)> =
        campaigns.into_values().map(|(bid, item, parts)| (bid.bidder, (item, parts))).collect();
    auction::run(bids, k, setting.reserve)
        .into_iter()
        .filter_map(|won| {
            let (item, parts) = by_number.remove(&won.bid.bidder)?;
            Some(Slot { item, parts, won: Some(won), rank_without: None })
        })
        .collect()
}
