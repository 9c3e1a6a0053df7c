//! From log-odds to what is said of a text: which leaves and how surely, and how near to buying.

use crate::weights::STAGES;
use serde::Deserialize;
use tactful_core::reading::{Finding, Stage, Weight};
use tactful_core::taxonomy::Interest;

/// Leaves that are looked at: the last tells how far the first stands out.
const CANDIDATES: usize = 4;

/// How sure a leaf is: the logistic of one, how far its log-odds are above those of no interest,
/// how far behind the best leaf they are, how far the best is above the fourth, and the logarithm
/// of the text's length in words; each times its weight. Fitted on held-out prompts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sure {
    /// The weights.
    pub sure: [f32; 5],
    /// From which probability the best leaf is found.
    pub threshold: f32,
    /// And from which one beside it.
    pub beside: f32,
}

impl Sure {
    /// What is found in the log-odds of the leaves (the last: none) of a text of so many words.
    pub fn findings(&self, odds: &[f32], words: usize, stage: Stage) -> Vec<Finding> {
        let bars = [self.threshold, self.beside, self.beside];
        self.candidates(odds, words)
            .into_iter()
            .zip(bars)
            .filter(|((_, sure), bar)| sure >= bar)
            .map(|((leaf, sure), _)| Finding {
                interest: Interest(leaf),
                weight: Weight(thousandths(sure).max(1)),
                stage,
            })
            .collect()
    }

    /// How sure the best leaf is.
    pub fn of_the_best(&self, odds: &[f32], words: usize) -> f32 {
        self.candidates(odds, words).first().map_or(0.0, |(_, sure)| *sure)
    }

    fn candidates(&self, odds: &[f32], words: usize) -> Vec<(u16, f32)> {
        let Some((none, leaves)) = odds.split_last() else { return Vec::new() };
        let mut best = best(leaves);
        let (Some((_, first)), Some((_, fourth))) = (best.first().copied(), best.last().copied())
        else {
            return Vec::new();
        };
        let length = (words.clamp(1, 200) as f32).ln();
        let [one, above_none, behind, out, by_length] = self.sure;
        for (_, value) in &mut best {
            *value = logistic(
                one + above_none * (*value - none)
                    + behind * (*value - first)
                    + out * (first - fourth)
                    + by_length * length,
            );
        }
        best
    }
}

/// The leaves of the greatest log-odds, the greatest first; of equal ones the earlier leaf.
fn best(leaves: &[f32]) -> Vec<(u16, f32)> {
    let mut best: Vec<(u16, f32)> = Vec::with_capacity(CANDIDATES + 1);
    let mut least = f32::NEG_INFINITY;
    for (leaf, value) in (0..).zip(leaves) {
        if *value > least {
            let at = best.partition_point(|(_, better)| better >= value);
            best.insert(at, (leaf, *value));
            best.truncate(CANDIDATES);
            if best.len() == CANDIDATES {
                least = best.last().map_or(least, |(_, value)| *value);
            }
        }
    }
    best
}

/// How near to buying; `None` when the text says that this is not wanted.
pub fn stage(odds: &[f32]) -> Option<Stage> {
    let greatest = (0..odds.len().min(STAGES)).max_by(|a, b| odds[*a].total_cmp(&odds[*b]))?;
    Stage::ALL.get(greatest).copied()
}

pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

pub fn thousandths(probability: f32) -> u16 {
    (probability * 1000.0).round().clamp(0.0, 1000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_in_order_and_the_earlier_wins_a_tie() {
        let odds = [0.5, 3.0, -1.0, 3.0, 2.0, 2.5, f32::NAN];
        let order: Vec<u16> = best(&odds).into_iter().map(|(leaf, _)| leaf).collect();
        assert_eq!(order, [1, 3, 5, 4]);
    }

    #[test]
    fn what_is_not_wanted_has_no_stage() {
        assert_eq!(stage(&[0.0, 0.1, 2.0, 1.0]), Some(Stage::Buying));
        assert_eq!(stage(&[0.0, 0.1, 2.0, 3.0]), None);
    }

    #[test]
    fn nothing_is_found_below_the_threshold() {
        let sure = Sure { sure: [0.0, 1.0, 0.0, 0.0, 0.0], threshold: 0.5, beside: 0.8 };
        let found = sure.findings(&[1.0, 0.2, -1.0, -2.0, 0.5], 8, Stage::Doing);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].interest, found[0].weight), (Interest(0), Weight(622)));
        // Beside the best a leaf must be surer: of 0.88 and 0.73 one is found, of 0.88 and 0.82 both.
        for (second, count) in [(1.0, 1), (1.5, 2)] {
            assert_eq!(
                sure.findings(&[2.0, second, -1.0, -2.0, 0.0], 8, Stage::Doing).len(),
                count
            );
        }
        assert!(sure.findings(&[], 8, Stage::Doing).is_empty());
    }
}
