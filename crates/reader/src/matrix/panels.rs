//! Weights as the processor's products of bytes want them, and the product itself.
//!
//! Sixteen outputs stand side by side, of each four inputs, then the next four inputs: one step of
//! VNNI (AVX-512) multiplies four bytes of a row with 64 weights and adds them to sixteen sums.
//! Where there is no VNNI the same order serves AVX2, and any other processor. The sums are whole
//! numbers and exact, so every way gives the same.

use archmage::prelude::*;

/// Goes through the panels, some at a time, and for each through the rows, as many at a time as are
/// left: so weights come from far away once, and the last rows do not cost a pass each.
macro_rules! bands {
    ($tile:ident, $rows:expr, $weights:expr, $inputs:expr, $outputs:expr, $sums:expr,
     $wide:literal, [$($high:literal),+]) => {{
        let mut panels = $weights.chunks_exact($wide * SIDE * $inputs);
        let mut at = 0;
        for panels in panels.by_ref() {
            let (mut rows, mut done) = ($rows, 0);
            $(while rows.len() >= $high * $inputs {
                let (these, other) = rows.split_at($high * $inputs);
                let sums = &mut $sums[done * $outputs + at..];
                $tile::<$high, $wide>(these, panels, $inputs, sums, $outputs, $outputs - at);
                (rows, done) = (other, done + $high);
            })+
            at += $wide * SIDE;
        }
        for panel in panels.remainder().chunks_exact(SIDE * $inputs) {
            let (mut rows, mut done) = ($rows, 0);
            $(while rows.len() >= $high * $inputs {
                let (these, other) = rows.split_at($high * $inputs);
                let sums = &mut $sums[done * $outputs + at..];
                $tile::<$high, 1>(these, panel, $inputs, sums, $outputs, $outputs - at);
                (rows, done) = (other, done + $high);
            })+
            at += SIDE;
        }
    }};
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod vnni;

/// Outputs side by side.
const SIDE: usize = 16;

/// Inputs of one output that stand together.
const STEP: usize = 4;

/// Weights of one step.
const PIECE: usize = SIDE * STEP;

/// A matrix of 8-bit weights, in panels of [`SIDE`] outputs.
pub struct Panels {
    /// Panel by panel, step by step.
    weights: Vec<i8>,
    inputs: usize,
    outputs: usize,
}

/// Length of a row of so many inputs, as [`Panels::times`] takes it.
pub fn padded(inputs: usize) -> usize {
    inputs.next_multiple_of(STEP)
}

impl Panels {
    /// Takes the weights output by output.
    pub fn new(weights: &[i8], inputs: usize) -> Self {
        let outputs = weights.len() / inputs;
        let panel = padded(inputs) * SIDE;
        let mut panels = vec![0; outputs.div_ceil(SIDE) * panel];
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            let from = output / SIDE * panel + output % SIDE * STEP;
            for (input, weight) in weights.iter().enumerate() {
                panels[from + input / STEP * PIECE + input % STEP] = *weight;
            }
        }
        Self { weights: panels, inputs: padded(inputs), outputs }
    }

    /// Sums of rows times weights, row by row.
    pub fn times(&self, rows: &[u8]) -> Vec<i32> {
        let mut sums = vec![0; rows.len() / self.inputs * self.outputs];
        self.times_into(rows, &mut sums);
        sums
    }

    fn times_into(&self, rows: &[u8], sums: &mut [i32]) {
        let Self { weights, inputs, outputs } = self;
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = X64V4xToken::summon() {
                return vnni::times(token, rows, weights, *inputs, *outputs, sums);
            }
            if let Some(token) = X64V3Token::summon() {
                return avx2::times(token, rows, weights, *inputs, *outputs, sums);
            }
        }
        plainly(rows, weights, *inputs, *outputs, sums);
    }
}

/// Writes the sums of one panel, as many as there are outputs left.
#[inline(always)]
fn put(sums: &mut [i32], at: usize, left: usize, found: [i32; SIDE]) {
    let count = left.min(SIDE);
    sums[at..at + count].copy_from_slice(&found[..count]);
}

/// The same on any processor.
#[autoversion]
fn plainly(rows: &[u8], weights: &[i8], inputs: usize, outputs: usize, sums: &mut [i32]) {
    for (row, sums) in rows.chunks_exact(inputs).zip(sums.chunks_exact_mut(outputs)) {
        let panels = weights.chunks_exact(SIDE * inputs);
        for (sums, panel) in sums.chunks_mut(SIDE).zip(panels) {
            let mut found = [0i32; SIDE];
            for (four, piece) in row.as_chunks::<STEP>().0.iter().zip(panel.chunks_exact(PIECE)) {
                for (found, weights) in found.iter_mut().zip(piece.chunks_exact(STEP)) {
                    for (x, weight) in four.iter().zip(weights) {
                        *found += i32::from(*x) * i32::from(*weight);
                    }
                }
            }
            sums.copy_from_slice(&found[..sums.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, from: i64, to: i64) -> impl Iterator<Item = i64> {
        (0..count as i64).map(move |n| (n * 2_654_435_761).rem_euclid(to - from + 1) + from)
    }

    /// Whatever the processor, the sums are the plain ones, also of the greatest numbers.
    #[test]
    fn every_way_gives_the_plain_sums() {
        for (inputs, outputs, count) in
            [(96, 7, 5), (192, 431, 1), (256, 9, 12), (50, 3, 6), (7, 2, 3), (1280, 80, 9)]
        {
            for (least, most) in [(0, 255), (255, 255)] {
                let weights: Vec<i8> =
                    numbers(inputs * outputs, -127, 127).map(|n| n as i8).collect();
                let mut rows: Vec<u8> = Vec::new();
                let mut fresh = numbers(count * inputs, least, most);
                for _ in 0..count {
                    rows.extend(fresh.by_ref().take(inputs).map(|n| n as u8));
                    rows.resize(rows.len().next_multiple_of(STEP), 9);
                }
                let mut expected: Vec<i32> = Vec::new();
                for row in rows.chunks_exact(padded(inputs)) {
                    for weights in weights.chunks_exact(inputs) {
                        let products = row.iter().zip(weights);
                        expected.push(products.map(|(x, w)| i32::from(*x) * i32::from(*w)).sum());
                    }
                }
                let panels = Panels::new(&weights, inputs);
                let mut ways: Vec<(&str, Vec<i32>)> = vec![("chosen", panels.times(&rows))];
                let (inputs, mut sums) = (padded(inputs), vec![0; expected.len()]);
                plainly(&rows, &panels.weights, inputs, outputs, &mut sums);
                ways.push(("scalar", sums.clone()));
                #[cfg(target_arch = "x86_64")]
                if let Some(token) = X64V3Token::summon() {
                    avx2::times(token, &rows, &panels.weights, inputs, outputs, &mut sums);
                    ways.push(("v3", sums));
                }
                for (way, sums) in ways {
                    assert_eq!(sums, expected, "{way}: {inputs} x {outputs} x {count}");
                }
            }
        }
    }
}
