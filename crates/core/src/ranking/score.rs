//! How good an item is for this person: a sum of named parts, so that the explanation is the
//! arithmetic and not a story about it.

use super::exclude::Setting;
use super::item::Item;
use crate::taxonomy::Interest;

/// Points of a part at most: quality, freshness, nearness, friendship. One interest brings up to
/// 1023 × 255; one certain fresh turn brings 65,280.
const QUALITY: u64 = 5_000;
const FRESHNESS: u64 = 5_000;
const NEARNESS: u64 = 15_000;
const FRIENDSHIP: u64 = 20_000;

/// A thing is half as fresh after this many hours.
const FRESH_HOURS: u64 = 7 * 24;

/// A thing is half as near after this many kilometres.
const NEAR_KILOMETRES: u64 = 10;

/// The parts of a score, in points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What each interest brought, the greatest first.
    pub interests: Vec<(Interest, u64)>,
    /// What its quality brought.
    pub quality: u64,
    /// What being new brought.
    pub freshness: u64,
    /// What being near brought.
    pub nearness: u64,
    /// How near it is.
    pub kilometres: Option<u32>,
    /// What a friend's name on it brought.
    pub friendship: u64,
}

impl Parts {
    /// The score.
    pub fn total(&self) -> u64 {
        self.relevance() + self.quality + self.freshness + self.nearness + self.friendship
    }

    /// What all interests brought.
    pub fn relevance(&self) -> u64 {
        self.interests.iter().map(|(_, points)| points).sum()
    }
}

/// Scores an item. `strengths` are a profile's terms by interest (see [`super::index::terms`]);
/// it may hold more than the taxonomy, never less.
pub fn score(setting: &Setting, strengths: &[u16], item: &Item) -> Parts {
    let mut interests: Vec<_> = item
        .impacts()
        .filter_map(|(interest, impact)| {
            let strength = strengths.get(usize::from(interest.0)).copied().unwrap_or(0);
            let points = u64::from(strength) * u64::from(impact);
            (points > 0).then_some((interest, points))
        })
        .collect();
    interests.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let hours = setting.now.duration_since(item.created).as_hours().max(0).unsigned_abs();
    let kilometres = setting.place.zip(item.place).map(|(here, there)| here.kilometres(there));
    let friend = item.author.as_ref().is_some_and(|author| setting.friends.contains(author));
    Parts {
        interests,
        quality: QUALITY * u64::from(item.quality.min(1000)) / 1000,
        freshness: FRESHNESS * FRESH_HOURS / (FRESH_HOURS + hours),
        nearness: kilometres
            .map_or(0, |km| NEARNESS * NEAR_KILOMETRES / (NEAR_KILOMETRES + u64::from(km))),
        kilometres,
        friendship: if friend { FRIENDSHIP } else { 0 },
    }
}

/// How likely a response to an ad is, in millionths. A prior until there are counts to learn
/// from: 0.1 % for anyone, rising with relevance, weighted by quality.
pub fn response(parts: &Parts, item: &Item) -> u64 {
    let interest = 1_000 + parts.relevance() / 5 + parts.nearness / 10;
    (interest * (500 + u64::from(item.quality.min(1000))) / 1000).clamp(1, 500_000)
}
