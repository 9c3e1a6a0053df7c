//! The items that a profile is nearest to, exactly, without looking at all of them.
//!
//! Block-max pruning (Mallia, Suel, Tonellotto, "Faster learned sparse retrieval with block-max
//! pruning", 2024) over a forward index: items stand in an order that brings like ones together,
//! in blocks of 64; each block, and each 64 blocks, has for every interest the greatest impact in
//! it. What a block can reach at most is known before it is opened; blocks are opened from the
//! best bound down, until no bound can reach the k-th best score that was found.

use crate::profile::{Profile, UNIT};
use crate::taxonomy::Interest;

/// Interests that one item is found by, at most.
pub const WIDTH: usize = 5;

/// Items a block, and blocks a superblock.
const BLOCK: usize = 32;

/// Bounds are kept in units of this many points, so that 16 bits hold them.
const POINTS_PER_UNIT: u32 = 128;

/// An interest of a query with its strength, 1 to 1023.
pub type Term = (Interest, u16);

/// An item to index: its number, and its interests with their impacts, at most [`WIDTH`].
pub type Entry = (u32, Vec<(Interest, u8)>);

/// Where an item stands: per interest how rare it is, its number, and 255 less its impact.
type Key = [(u32, u16, u8); WIDTH];

/// One item: its interests and their impacts, padded with an interest that nobody asks for.
#[derive(Clone, Copy)]
struct Row {
    interests: [u16; WIDTH],
    impacts: [u8; WIDTH],
}

/// A score with the item that reached it. Scores are in points: strength × impact, summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Points.
    pub score: u32,
    /// The item, by its place among those that the index was built of.
    pub item: u32,
}

/// An immutable index.
pub struct Index {
    rows: Vec<Row>,
    items: Vec<u32>,
    /// Greatest impact by (superblock, interest, block of it).
    blocks: Vec<[u8; BLOCK]>,
    /// Greatest impact by (interest, superblock).
    superblocks: Vec<u8>,
    interests: usize,
}

/// The strengths of a profile's interests, as a query: one certain fresh turn is 256.
pub fn terms(profile: &Profile) -> Vec<Term> {
    profile
        .iter()
        .map(|(interest, weight)| {
            let strength = (weight * 256 / UNIT).clamp(1, 1023);
            (interest, u16::try_from(strength).unwrap_or(1023))
        })
        .collect()
}

impl Index {
    /// Builds the index of some items: for each, its number and its (interest, impact) pairs, at
    /// most [`WIDTH`]. `interests` is how many the taxonomy has.
    pub fn build(items: &[Entry], interests: usize) -> Self {
        let mut frequency = vec![0u32; interests + 1];
        for (interest, _) in items.iter().flat_map(|(_, impacts)| impacts) {
            frequency[usize::from(interest.0).min(interests)] += 1;
        }
        let padding = u16::try_from(interests).unwrap_or(u16::MAX);
        let mut ordered: Vec<(Key, u32)> = items
            .iter()
            .filter(|(_, impacts)| !impacts.is_empty())
            .map(|(number, impacts)| {
                // The commonest interest first: items that share it come together.
                let mut key = [(u32::MAX, padding, 0); WIDTH];
                for (slot, (interest, impact)) in key.iter_mut().zip(impacts) {
                    let common = frequency[usize::from(interest.0).min(interests)];
                    *slot = (u32::MAX - 1 - common, interest.0, 255 - impact);
                }
                key.sort_unstable();
                (key, *number)
            })
            .collect();
        ordered.sort_unstable_by_key(|(key, number)| {
            (key.map(|(common, interest, _)| (common, interest)), key[0].2, *number)
        });
        let blocks = ordered.len().div_ceil(BLOCK);
        let superblocks = blocks.div_ceil(BLOCK);
        let empty = Row { interests: [padding; WIDTH], impacts: [0; WIDTH] };
        let mut index = Self {
            rows: vec![empty; superblocks * BLOCK * BLOCK],
            items: vec![u32::MAX; superblocks * BLOCK * BLOCK],
            blocks: vec![[0; BLOCK]; superblocks * interests],
            superblocks: vec![0; superblocks * interests],
            interests,
        };
        for (at, (key, number)) in ordered.iter().enumerate() {
            index.items[at] = *number;
            let (superblock, block) = (at / (BLOCK * BLOCK), at / BLOCK % BLOCK);
            for (slot, (_, interest, rest)) in key.iter().enumerate() {
                let interest_at = usize::from(*interest);
                if interest_at >= interests {
                    continue;
                }
                let impact = 255 - rest;
                index.rows[at].interests[slot] = *interest;
                index.rows[at].impacts[slot] = impact;
                let greatest = &mut index.blocks[superblock * interests + interest_at][block];
                *greatest = impact.max(*greatest);
                let greatest = &mut index.superblocks[interest_at * superblocks + superblock];
                *greatest = impact.max(*greatest);
            }
        }
        index
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>()
            + self.items.len() * 4
            + self.blocks.len() * BLOCK
            + self.superblocks.len()
    }

    /// The `k` best items that `accept` lets through, best first; of equal ones the lower number.
    /// Exactly what [`Index::scan`] gives.
    pub fn search(
        &self,
        terms: &[Term],
        k: usize,
        mut accept: impl FnMut(u32) -> bool,
    ) -> Vec<Hit> {
        let mut best = Best::new(k);
        let strengths = self.strengths(terms);
        let terms: Vec<(usize, u16)> = terms
            .iter()
            .map(|(interest, strength)| (usize::from(interest.0), *strength))
            .filter(|(interest, strength)| *interest < self.interests && *strength > 0)
            .collect();
        // Rounding down loses less than one unit a term.
        let slack = terms.len() as u32 + 1;
        let superblocks = self.superblocks.len().checked_div(self.interests).unwrap_or(0);
        let mut bounds = vec![0u16; superblocks];
        for (interest, strength) in &terms {
            let row = &self.superblocks[interest * superblocks..(interest + 1) * superblocks];
            add(&mut bounds, row, *strength);
        }
        let mut order: Vec<(u16, usize)> =
            bounds.into_iter().zip(0..).filter(|(bound, _)| *bound > 0).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        for (bound, superblock) in order {
            if !reaches(bound, slack, best.threshold()) {
                break;
            }
            let mut bounds = [0u16; BLOCK];
            for (interest, strength) in &terms {
                if self.superblocks[interest * superblocks + superblock] > 0 {
                    let row = &self.blocks[superblock * self.interests + interest];
                    add(&mut bounds, row, *strength);
                }
            }
            for (block, bound) in bounds.into_iter().enumerate() {
                if bound > 0 && reaches(bound, slack, best.threshold()) {
                    self.open(superblock * BLOCK + block, &strengths, &mut best, &mut accept);
                }
            }
        }
        best.hits
    }

    /// The same by looking at every item: the oracle of the tests and the rival of the bench.
    pub fn scan(&self, terms: &[Term], k: usize, mut accept: impl FnMut(u32) -> bool) -> Vec<Hit> {
        let mut best = Best::new(k);
        let strengths = self.strengths(terms);
        for block in 0..self.rows.len() / BLOCK {
            self.open(block, &strengths, &mut best, &mut accept);
        }
        best.hits
    }

    fn open(
        &self,
        block: usize,
        strengths: &[u16],
        best: &mut Best,
        accept: &mut impl FnMut(u32) -> bool,
    ) {
        let range = block * BLOCK..(block + 1) * BLOCK;
        for (row, item) in self.rows[range.clone()].iter().zip(&self.items[range]) {
            let score = row
                .interests
                .iter()
                .zip(row.impacts)
                .map(|(interest, impact)| {
                    let strength = strengths.get(usize::from(*interest)).copied().unwrap_or(0);
                    u32::from(strength) * u32::from(impact)
                })
                .sum();
            let hit = Hit { score, item: *item };
            if score > 0 && best.wants(hit) && accept(*item) {
                best.take(hit);
            }
        }
    }

    fn strengths(&self, terms: &[Term]) -> Vec<u16> {
        let mut strengths = vec![0; self.interests + 1];
        for (interest, strength) in terms {
            if let Some(slot) = strengths.get_mut(usize::from(interest.0)) {
                *slot = (*strength).min(1023);
            }
        }
        strengths[self.interests] = 0;
        strengths
    }
}

/// Adds what an interest brings at most to the bounds of some blocks, in units, rounded down.
fn add(bounds: &mut [u16], impacts: &[u8], strength: u16) {
    let strength = u32::from(strength.min(1023));
    for (bound, impact) in bounds.iter_mut().zip(impacts) {
        let units = strength * u32::from(*impact) / POINTS_PER_UNIT;
        // Something, however little, must not look like nothing.
        let units = units.max(u32::from(*impact > 0));
        *bound = bound.saturating_add(units as u16);
    }
}

/// Can a block of this bound hold an item of this many points?
fn reaches(bound: u16, slack: u32, points: u32) -> bool {
    bound == u16::MAX || (u32::from(bound) + slack) * POINTS_PER_UNIT >= points
}

/// The best hits so far, best first.
struct Best {
    k: usize,
    hits: Vec<Hit>,
}

impl Best {
    fn new(k: usize) -> Self {
        Self { k, hits: Vec::with_capacity(k.min(1024) + 1) }
    }

    /// What the k-th best has reached.
    fn threshold(&self) -> u32 {
        match self.hits.last() {
            Some(last) if self.hits.len() >= self.k => last.score,
            _ => 0,
        }
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
    }
}
