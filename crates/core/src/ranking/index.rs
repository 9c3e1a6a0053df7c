//! The items that a profile is nearest to, exactly, without looking at all of them.
//!
//! Block-max pruning (Mallia, Suel, Tonellotto, "Faster learned sparse retrieval with block-max
//! pruning", 2024) over a forward index: items stand in an order that brings like ones together,
//! in blocks of 32; each block, and each 32 blocks, has for every interest the greatest impact in
//! it, and the facets that any item of it has. What a block can reach at most is known before it
//! is opened; blocks are opened from the best bound down, until no bound can reach the k-th best
//! score that was found.
//!
//! Most of the time goes into waiting for memory. So interests are numbered by how common they
//! are (those that profiles ask for stand side by side), and the bounds of a superblock are
//! fetched in one go before they are added up, so that the waits overlap.

use crate::profile::{Profile, UNIT};
use crate::taxonomy::Interest;
use std::array::from_fn;

/// Interests that one item is found by, at most.
pub const WIDTH: usize = 5;

/// Items a block, and blocks a superblock.
const BLOCK: usize = 32;

/// Superblocks that are opened before the others are put in order: they raise the bar so far that
/// most of the others need no order.
const FIRST: usize = 16;

/// Bounds are kept in units of this many points, rounded up, so that 16 bits hold them.
const POINTS_PER_UNIT: u32 = 32;

/// The greatest strength of a term.
const STRONGEST: u16 = 1023;

/// Rows of bounds that are fetched before they are added up.
const FETCHED: usize = 64;

/// An interest of a query with its strength, 1 to 1023.
pub type Term = (Interest, u16);

/// One bit for each thing that an item is good for: see [`super::exclude::facets`]. The upper
/// half is what items are kept apart by.
pub type Facets = u32;

/// An item to index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub item: u32,
    /// What it is good for.
    pub facets: Facets,
    /// Its interests with their impacts, at most [`WIDTH`].
    pub impacts: Vec<(Interest, u8)>,
}

/// One item: its interests (as the index numbers them) and their impacts, padded with an interest
/// that nobody asks for.
#[derive(Clone, Copy)]
struct Row {
    interests: [u16; WIDTH],
    impacts: [u8; WIDTH],
}

/// Where a row stands: what it is kept apart by, its interests from the commonest on, 255 less the
/// impact of the first, its item's number.
type Key = (Facets, [u16; WIDTH], u8, u32);

/// A score with the item that reached it. Scores are in points: strength × impact, summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Points.
    pub score: u32,
    /// The item, by its number.
    pub item: u32,
}

/// An immutable index.
pub struct Index {
    rows: Vec<Row>,
    items: Vec<u32>,
    facets: Vec<Facets>,
    /// How the index numbers interests: the commonest is 0.
    ranks: Vec<u16>,
    /// Greatest impact by (superblock, interest, block of it).
    blocks: Vec<[u8; BLOCK]>,
    /// Facets of any item by (superblock, block of it).
    block_facets: Vec<[Facets; BLOCK]>,
    /// Greatest impact by (interest, superblock).
    superblocks: Vec<u8>,
    /// Facets of any item.
    superblock_facets: Vec<Facets>,
}

/// The strengths of a profile's interests, as a query: one certain fresh turn is 256.
pub fn terms(profile: &Profile) -> Vec<Term> {
    profile
        .iter()
        .map(|(interest, weight)| {
            let strength = (weight * 256 / UNIT).clamp(1, u64::from(STRONGEST));
            (interest, u16::try_from(strength).unwrap_or(STRONGEST))
        })
        .collect()
}

/// The interests from the commonest on get the numbers 0, 1, …
fn ranks(items: &[Entry], interests: usize) -> Vec<u16> {
    let mut frequency = vec![0u32; interests];
    for (interest, _) in items.iter().flat_map(|entry| &entry.impacts) {
        if let Some(frequency) = frequency.get_mut(usize::from(interest.0)) {
            *frequency += 1;
        }
    }
    let mut order: Vec<usize> = (0..interests).collect();
    order.sort_by_key(|interest| std::cmp::Reverse(frequency[*interest]));
    let mut ranks = vec![0; interests];
    for (rank, interest) in (0..).zip(order) {
        ranks[interest] = rank;
    }
    ranks
}

impl Index {
    /// Builds the index of some items. `interests` is how many the taxonomy has.
    pub fn build(items: &[Entry], interests: usize) -> Self {
        let ranks = ranks(items, interests);
        let padding = u16::try_from(interests).unwrap_or(u16::MAX);
        let mut ordered: Vec<(Key, Row)> = Vec::with_capacity(items.len());
        for entry in items {
            let mut pairs: Vec<(u16, u8)> = entry
                .impacts
                .iter()
                .take(WIDTH)
                .filter_map(|(of, impact)| Some((*ranks.get(usize::from(of.0))?, *impact)))
                .collect();
            pairs.sort_unstable();
            // Named twice it would reach more than the bounds know of.
            pairs.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                kept.1 = if same { kept.1.saturating_add(next.1) } else { kept.1 };
                same
            });
            let Some((_, first)) = pairs.first().copied() else { continue };
            pairs.resize(WIDTH, (padding, 0));
            let row = Row { interests: from_fn(|n| pairs[n].0), impacts: from_fn(|n| pairs[n].1) };
            // Items that share their commonest interest come together.
            ordered.push(((entry.facets, row.interests, 255 - first, entry.item), row));
        }
        ordered.sort_unstable_by_key(|((facets, of, rest, item), _)| {
            (facets >> (Facets::BITS / 2), *of, *rest, *item)
        });
        let superblocks = ordered.len().div_ceil(BLOCK * BLOCK);
        let empty = Row { interests: [padding; WIDTH], impacts: [0; WIDTH] };
        let mut index = Self {
            rows: vec![empty; superblocks * BLOCK * BLOCK],
            items: vec![u32::MAX; superblocks * BLOCK * BLOCK],
            facets: vec![0; superblocks * BLOCK * BLOCK],
            ranks,
            blocks: vec![[0; BLOCK]; superblocks * interests],
            block_facets: vec![[0; BLOCK]; superblocks],
            superblocks: vec![0; superblocks * interests],
            superblock_facets: vec![0; superblocks],
        };
        for (at, ((facets, _, _, item), row)) in ordered.into_iter().enumerate() {
            index.rows[at] = row;
            index.items[at] = item;
            index.facets[at] = facets;
            let (superblock, block) = (at / (BLOCK * BLOCK), at / BLOCK % BLOCK);
            index.block_facets[superblock][block] |= facets;
            index.superblock_facets[superblock] |= facets;
            for (interest, impact) in row.interests.into_iter().zip(row.impacts) {
                let interest = usize::from(interest);
                if interest < interests {
                    let greatest = &mut index.blocks[superblock * interests + interest][block];
                    *greatest = impact.max(*greatest);
                    let greatest = &mut index.superblocks[interest * superblocks + superblock];
                    *greatest = impact.max(*greatest);
                }
            }
        }
        index
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.rows.len() * (size_of::<Row>() + size_of::<u32>() + size_of::<Facets>())
            + self.blocks.len() * BLOCK
            + self.block_facets.len() * BLOCK * size_of::<Facets>()
            + self.superblocks.len()
            + self.superblock_facets.len() * size_of::<Facets>()
            + self.ranks.len() * size_of::<u16>()
    }

    /// The `k` best items that have all of the facets `needs` and that `accept` lets through, best
    /// first; of equal ones the lower number. Exactly what [`Index::scan`] gives.
    pub fn search(
        &self,
        terms: &[Term],
        k: usize,
        needs: Facets,
        accept: impl FnMut(u32) -> bool,
    ) -> Vec<Hit> {
        let mut search = Search::new(self, terms, k, needs, accept);
        let count = self.superblock_facets.len();
        let mut bounds = vec![0u16; count];
        for (interest, strength) in &search.terms {
            let row = &self.superblocks[interest * count..(interest + 1) * count];
            add(&mut bounds, row, *strength);
        }
        let mut first: Vec<(u16, usize)> = bounds
            .into_iter()
            .zip(&self.superblock_facets)
            .zip(0..)
            .filter(|((bound, facets), _)| *bound > 0 && *facets & needs == needs)
            .map(|((bound, _), superblock)| (bound, superblock))
            .collect();
        if first.len() > FIRST {
            first.select_nth_unstable_by(FIRST, |a, b| b.cmp(a));
        }
        let mut rest = first.split_off(first.len().min(FIRST));
        first.sort_unstable_by(|a, b| b.cmp(a));
        search.open_all(&first);
        rest.retain(|(bound, _)| reaches(*bound, search.best.threshold));
        rest.sort_unstable_by(|a, b| b.cmp(a));
        search.open_all(&rest);
        search.best.hits
    }

    /// The same by looking at every item: the oracle of the tests and the rival of the bench.
    pub fn scan(
        &self,
        terms: &[Term],
        k: usize,
        needs: Facets,
        accept: impl FnMut(u32) -> bool,
    ) -> Vec<Hit> {
        let mut search = Search::new(self, terms, k, needs, accept);
        for block in 0..self.rows.len() / BLOCK {
            search.open_block(block);
        }
        search.best.hits
    }
}

/// One search at work.
struct Search<'a, A> {
    index: &'a Index,
    /// The interests that are asked for, as the index numbers them.
    terms: Vec<(usize, u16)>,
    /// The same by interest.
    strengths: Vec<u16>,
    needs: Facets,
    accept: A,
    best: Best,
}

impl<'a, A: FnMut(u32) -> bool> Search<'a, A> {
    fn new(index: &'a Index, terms: &[Term], k: usize, needs: Facets, accept: A) -> Self {
        let mut strengths = vec![0; index.ranks.len() + 1];
        for (interest, strength) in terms {
            if let Some(rank) = index.ranks.get(usize::from(interest.0)) {
                strengths[usize::from(*rank)] = (*strength).min(STRONGEST);
            }
        }
        let terms = (0..).zip(&strengths).filter(|(_, strength)| **strength > 0);
        let terms = terms.map(|(interest, strength)| (interest, *strength)).collect();
        Self { index, terms, strengths, needs, accept, best: Best::new(k) }
    }

    /// Opens superblocks, given with their bounds from the best one down, as long as they reach.
    fn open_all(&mut self, superblocks: &[(u16, usize)]) {
        let count = self.index.superblock_facets.len();
        let interests = self.index.ranks.len();
        let mut fetched = [([0u8; BLOCK], 0u16); FETCHED];
        for (bound, superblock) in superblocks {
            if !reaches(*bound, self.best.threshold) {
                return;
            }
            let rows = &self.index.blocks[superblock * interests..(superblock + 1) * interests];
            let mut bounds = [0u16; BLOCK];
            for terms in self.terms.chunks(FETCHED) {
                let present = terms.iter().filter(|(interest, _)| {
                    self.index.superblocks[interest * count + superblock] > 0
                });
                let mut length = 0;
                for (place, (interest, strength)) in fetched.iter_mut().zip(present) {
                    *place = (rows[*interest], *strength);
                    length += 1;
                }
                for (row, strength) in &fetched[..length] {
                    add(&mut bounds, row, *strength);
                }
            }
            let facets = &self.index.block_facets[*superblock];
            for (block, (bound, facets)) in bounds.into_iter().zip(facets).enumerate() {
                if bound > 0
                    && facets & self.needs == self.needs
                    && reaches(bound, self.best.threshold)
                {
                    self.open_block(superblock * BLOCK + block);
                }
            }
        }
    }

    fn open_block(&mut self, block: usize) {
        let range = block * BLOCK..(block + 1) * BLOCK;
        let rows = self.index.rows[range.clone()].iter().zip(&self.index.items[range.clone()]);
        for ((row, item), facets) in rows.zip(&self.index.facets[range]) {
            if facets & self.needs != self.needs {
                continue;
            }
            let score = row
                .interests
                .iter()
                .zip(row.impacts)
                .map(|(interest, impact)| {
                    let strength = self.strengths.get(usize::from(*interest)).copied();
                    u32::from(strength.unwrap_or(0)) * u32::from(impact)
                })
                .sum();
            let hit = Hit { score, item: *item };
            if score >= self.best.threshold.max(1) && self.best.wants(hit) && (self.accept)(*item) {
                self.best.take(hit);
            }
        }
    }
}

/// Adds what an interest brings at most to the bounds of some blocks, in units, rounded up: an
/// impact × 256 times a strength × 8, of which the upper 16 bits are impact × strength / 32.
fn add(bounds: &mut [u16], impacts: &[u8], strength: u16) {
    let strength = u32::from(strength * 8);
    for (bound, impact) in bounds.iter_mut().zip(impacts) {
        let units = ((u32::from(u16::from(*impact) << 8) * strength) >> 16) as u16;
        *bound = bound.saturating_add(units + u16::from((*impact).min(1)));
    }
}

/// Can a block of this bound hold an item of this many points?
fn reaches(bound: u16, points: u32) -> bool {
    bound == u16::MAX || u32::from(bound) * POINTS_PER_UNIT >= points
}

/// The best hits so far, best first.
struct Best {
    k: usize,
    hits: Vec<Hit>,
    /// What the k-th best has reached; 0 as long as there are fewer.
    threshold: u32,
}

impl Best {
    fn new(k: usize) -> Self {
        Self { k, hits: Vec::with_capacity(k.min(1024) + 1), threshold: 0 }
    }

    fn wants(&self, hit: Hit) -> bool {
        self.hits.len() < self.k
            || self.hits.last().is_some_and(|last| {
                hit.score > last.score || (hit.score == last.score && hit.item < last.item)
            })
    }

    fn take(&mut self, hit: Hit) {
        let at = self.hits.partition_point(|h| {
            h.score > hit.score || (h.score == hit.score && h.item < hit.item)
        });
        self.hits.insert(at, hit);
        self.hits.truncate(self.k);
        if self.hits.len() == self.k {
            self.threshold = self.hits.last().map_or(0, |last| last.score);
        }
    }
}
