//! That not all of a slate is alike.

use super::item::Item;
use super::score::Parts;
use crate::taxonomy::Interest;
use std::collections::BTreeMap;

/// Items of one author in a slate.
const PER_AUTHOR: usize = 2;

/// By how much each item of the same main interest lessens the next one, in hundredths of it.
const ALIKE: u64 = 20;

/// Chooses `k` of the scored items, best first: each time the one with the highest score after
/// what is alike among the chosen was taken off (a greedy maximal marginal relevance, Carbonell
/// and Goldstein 1998), and never a third of one author.
pub fn choose(mut scored: Vec<(u32, &Item, Parts)>, k: usize) -> Vec<(u32, &Item, Parts)> {
    scored.sort_by(|a, b| b.2.total().cmp(&a.2.total()).then(a.0.cmp(&b.0)));
    let mut chosen = Vec::with_capacity(k.min(scored.len()));
    let mut authors: BTreeMap<&str, usize> = BTreeMap::new();
    let mut interests: BTreeMap<Interest, u64> = BTreeMap::new();
    while chosen.len() < k {
        let mut best: Option<(u64, usize)> = None;
        for (at, (_, item, parts)) in scored.iter().enumerate() {
            // The rest scores less than this even if nothing of it is alike.
            if best.is_some_and(|(value, _)| parts.total() <= value) {
                break;
            }
            let author = item.author.as_deref().and_then(|author| authors.get(author));
            if author.is_some_and(|count| *count >= PER_AUTHOR) {
                continue;
            }
            let alike = item.interests.first().and_then(|(main, _)| interests.get(main));
            let value = parts.total() * 100 / (100 + ALIKE * alike.copied().unwrap_or(0));
            if best.is_none_or(|(highest, _)| value > highest) {
                best = Some((value, at));
            }
        }
        let Some((_, at)) = best else { break };
        let taken = scored.remove(at);
        if let Some(author) = &taken.1.author {
            *authors.entry(author).or_default() += 1;
        }
        if let Some((main, _)) = taken.1.interests.first() {
            *interests.entry(*main).or_default() += 1;
        }
        chosen.push(taken);
    }
    chosen
}
