//! That not all of a slate is alike.

use super::item::Item;
use super::score::Parts;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Items of one author in a slate.
const PER_AUTHOR: usize = 2;

/// By how much each item of the same main interest lessens the next one, in hundredths of it.
const ALIKE: u64 = 20;

/// Chooses `k` of the scored items, best first: each time the one with the highest score after
/// what is alike among the chosen was taken off (a greedy maximal marginal relevance, Carbonell
/// and Goldstein 1998), and never a third of one author.
///
/// What is taken off is the same for all items of one main interest, so only the first of each is
/// ever compared.
pub fn choose(mut scored: Vec<(u32, &Item, Parts)>, k: usize) -> Vec<(u32, &Item, Parts)> {
    scored.sort_by(|a, b| b.2.total().cmp(&a.2.total()).then(a.0.cmp(&b.0)));
    // Lists of what has the same main interest, in the order of the scores; the first list is of
    // items of none, which are like no other.
    let list = |item: &Item| item.interests.first().map_or(0, |(main, _)| usize::from(main.0) + 1);
    let lists = scored.iter().map(|(_, item, _)| list(item) + 1).max().unwrap_or(0);
    let mut first = vec![None; lists];
    let mut next = vec![None; scored.len()];
    for (place, (_, item, _)) in scored.iter().enumerate().rev() {
        next[place] = first[list(item)].replace(place);
    }
    let mut taken = vec![0; lists];
    let totals: Vec<u64> = scored.iter().map(|(_, _, parts)| parts.total()).collect();
    let worth = |place: usize, taken: u64| totals[place] * 100 / (100 + ALIKE * taken);
    // By what the first of a list is worth now; of equals, by its place.
    let mut firsts: BinaryHeap<(u64, Reverse<usize>)> =
        first.into_iter().flatten().map(|place| (worth(place, 0), Reverse(place))).collect();
    let mut left: Vec<Option<(u32, &Item, Parts)>> = scored.into_iter().map(Some).collect();
    let mut chosen = Vec::with_capacity(k.min(left.len()));
    let mut authors: BTreeMap<&str, usize> = BTreeMap::new();
    while chosen.len() < k {
        let Some((_, Reverse(place))) = firsts.pop() else { break };
        let Some(one) = left[place].take() else { continue };
        let list = list(one.1);
        let count = one.1.author.as_deref().map(|author| authors.entry(author).or_default());
        if count.as_ref().is_none_or(|count| **count < PER_AUTHOR) {
            count.into_iter().for_each(|count| *count += 1);
            taken[list] += u64::from(list > 0);
            chosen.push(one);
        }
        firsts.extend(next[place].map(|place| (worth(place, taken[list]), Reverse(place))));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::item::Surface;
    use crate::reading::Weight;
    use crate::taxonomy::Interest;
    use proptest::prelude::*;

    fn item(author: u8, interest: u8) -> Item {
        Item {
            id: String::new(),
            surface: Surface::Posts,
            title: String::new(),
            language: None,
            regions: std::collections::BTreeSet::new(),
            place: None,
            author: (author < 6).then(|| format!("a{author}")),
            friends_only: false,
            quality: 0,
            created: jiff::Timestamp::UNIX_EPOCH,
            campaign: None,
            interests: (interest < 5)
                .then(|| (Interest(interest.into()), Weight(1)))
                .into_iter()
                .collect(),
        }
    }

    proptest! {
        /// The same as going through all that is left, each time.
        #[test]
        fn it_is_the_greedy_choice(
            items in prop::collection::vec((0u8..12, 0u8..7, 0u64..40), 0..60), k in 0usize..40,
        ) {
            let made: Vec<(Item, u64)> = items.iter().map(|(a, i, q)| (item(*a, *i), *q)).collect();
            let scored: Vec<(u32, &Item, Parts)> = (0..).zip(&made)
                .map(|(n, (item, quality))| (n, item, Parts { quality: *quality, ..Parts::default() }))
                .collect();
            let found: Vec<u32> = choose(scored.clone(), k).iter().map(|(n, ..)| *n).collect();
            let mut left = scored;
            left.sort_by_key(|(n, _, parts)| (Reverse(parts.total()), *n));
            let mut chosen: Vec<(u32, &Item, Parts)> = Vec::new();
            while chosen.len() < k {
                let of = |author: &Option<String>| chosen.iter().filter(|c| author.is_some() && c.1.author == *author).count();
                let alike = |item: &Item| chosen.iter()
                    .filter(|c| !item.interests.is_empty() && c.1.interests.first() == item.interests.first()).count();
                let mut best: Option<(u64, usize)> = None;
                for (at, (_, item, parts)) in left.iter().enumerate() {
                    let value = parts.total() * 100 / (100 + ALIKE * alike(item) as u64);
                    if of(&item.author) < PER_AUTHOR && best.is_none_or(|(highest, _)| value > highest) {
                        best = Some((value, at));
                    }
                }
                let Some((_, at)) = best else { break };
                chosen.push(left.remove(at));
            }
            prop_assert_eq!(found, chosen.iter().map(|(n, ..)| *n).collect::<Vec<_>>());
        }
    }
}
