//! Products in whole numbers: the same on every machine, and fast on one without a GPU.
//!
//! What goes in is rounded to 8 bits a row; the weights are whole steps of 8 bits, and what a step
//! is worth goes by the output. Sums are exact.

mod panels;

use archmage::prelude::*;
use panels::Panels;
use std::ops::Range;

/// The weights from some inputs to some outputs.
pub struct Matrix {
    weights: Panels,
    inputs: usize,
    /// What a step is worth, an output.
    steps: Vec<f32>,
    /// What [`ZERO`] times its weights gives, an output.
    shifts: Vec<i32>,
}

/// A matrix and what is added to its product.
pub struct Layer {
    /// The matrix.
    pub matrix: Matrix,
    /// One number an output.
    pub bias: Vec<f32>,
}

/// Greatest whole number that a value is rounded to. With weights of 8 bits and 1,280 of them, no
/// sum reaches 2^31.
const GREATEST: f32 = 127.0;

/// What stands for nothing: the processor multiplies bytes without a sign by bytes with one.
const ZERO: u8 = 128;

/// 1.5 times 2^23.
const WHOLE: f32 = 12_582_912.0;

/// Rows rounded to whole numbers, and what one is worth in each row.
pub struct Rows {
    whole: Vec<u8>,
    scales: Vec<f32>,
}

impl Rows {
    /// Rounds rows of `width` values.
    pub fn new(values: &[f32], width: usize) -> Self {
        Self::of_columns(values, width, 0, width)
    }

    /// Rounds `width` columns of rows of `wide` values, from one on.
    pub fn of_columns(values: &[f32], wide: usize, from: usize, width: usize) -> Self {
        let padded = panels::padded(width);
        let mut whole = vec![ZERO; values.len() / wide * padded];
        let mut scales = vec![0.0; values.len() / wide];
        round(values, wide, from..from + width, &mut whole, padded, &mut scales);
        Self { whole, scales }
    }
}

#[autoversion]
fn round(
    values: &[f32],
    wide: usize,
    columns: Range<usize>,
    whole: &mut [u8],
    padded: usize,
    scales: &mut [f32],
) {
    let rows = values.chunks_exact(wide).zip(whole.chunks_exact_mut(padded)).zip(scales);
    for ((row, whole), scale) in rows {
        let row = &row[columns.start..columns.end];
        let factor = GREATEST / greatest(row).max(f32::MIN_POSITIVE * GREATEST);
        for (whole, value) in whole.iter_mut().zip(row) {
            // So far from zero a float has no places behind the point: the addition rounds, and the
            // whole number stands in its last bits.
            *whole = (value * factor + WHOLE).to_bits() as u8 ^ ZERO;
        }
        *scale = 1.0 / factor;
    }
}

/// The greatest absolute value, sixteen side by side.
#[inline(always)]
fn greatest(row: &[f32]) -> f32 {
    let (parts, rest) = row.as_chunks::<16>();
    let mut greatest = [0.0f32; 16];
    for part in parts {
        for (greatest, value) in greatest.iter_mut().zip(part) {
            let value = value.abs();
            *greatest = if value > *greatest { value } else { *greatest };
        }
    }
    greatest.iter().chain(rest).fold(0.0, |greatest, value| greatest.max(value.abs()))
}

impl Matrix {
    /// Takes the weights output by output, each of `inputs` whole steps, and the steps' worth.
    pub fn new(weights: &[i8], inputs: usize, steps: Vec<f32>) -> Self {
        let total = |weights: &[i8]| weights.iter().map(|weight| i32::from(*weight)).sum::<i32>();
        let shifts = weights.chunks_exact(inputs).map(|w| total(w) * i32::from(ZERO)).collect();
        Self { weights: Panels::new(weights, inputs), inputs, steps, shifts }
    }

    /// How many numbers come out.
    pub fn outputs(&self) -> usize {
        self.steps.len()
    }

    /// Multiplies rows (each of `inputs` values) by the matrix.
    pub fn times(&self, rows: &[f32]) -> Vec<f32> {
        self.times_rounded(&Rows::new(rows, self.inputs))
    }

    /// The same, of rows that are rounded already.
    pub fn times_rounded(&self, rows: &Rows) -> Vec<f32> {
        let sums = self.weights.times(&rows.whole);
        let mut out = Vec::with_capacity(sums.len());
        worth(&sums, &rows.scales, &self.steps, &self.shifts, &mut out);
        out
    }
}

/// From sums of whole numbers to what they are worth.
#[autoversion]
fn worth(sums: &[i32], scales: &[f32], steps: &[f32], shifts: &[i32], out: &mut Vec<f32>) {
    for (sums, scale) in sums.chunks_exact(steps.len()).zip(scales) {
        let each = sums.iter().zip(steps).zip(shifts);
        out.extend(each.map(|((sum, step), shift)| (sum - shift) as f32 * (step * scale)));
    }
}

impl Layer {
    /// The product and the bias, row by row.
    pub fn apply(&self, rows: &[f32]) -> Vec<f32> {
        self.with_bias(self.matrix.times(rows))
    }

    /// The same, of rows that are rounded already.
    pub fn apply_rounded(&self, rows: &Rows) -> Vec<f32> {
        self.with_bias(self.matrix.times_rounded(rows))
    }

    fn with_bias(&self, mut out: Vec<f32>) -> Vec<f32> {
        for row in out.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(value, bias)| *value += bias);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, span: i64) -> impl Iterator<Item = i64> {
        (0..count as i64).map(move |n| (n * 2_654_435_761).rem_euclid(2 * span + 1) - span)
    }

    #[test]
    fn a_product_is_near_that_in_floats() {
        let (inputs, outputs, rows) = (96, 7, 5);
        let weights: Vec<i8> = numbers(inputs * outputs, 127).map(|n| n as i8).collect();
        let steps: Vec<f32> = (0..outputs).map(|n| 0.005 * (n + 1) as f32).collect();
        let x: Vec<f32> = numbers(rows * inputs, 1000).map(|n| n as f32 / 1000.0).collect();
        let out = Matrix::new(&weights, inputs, steps.clone()).times(&x);
        assert_eq!(out.len(), rows * outputs);
        for row in 0..rows {
            for output in 0..outputs {
                let exact: f32 = (0..inputs)
                    .map(|k| x[row * inputs + k] * f32::from(weights[output * inputs + k]))
                    .sum::<f32>()
                    * steps[output];
                assert!((exact - out[row * outputs + output]).abs() < 0.2, "{row} {output}");
            }
        }
    }
}
