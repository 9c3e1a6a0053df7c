//! Products in whole numbers: the same on every machine, and fast on one without a GPU.
//!
//! What goes in is rounded to 12 bits a row; the weights are whole steps of 8 bits, and what a step
//! is worth goes by the output. Sums are exact.

#[cfg(target_arch = "x86_64")]
mod avx2;

/// The weights from some inputs to some outputs.
pub struct Matrix {
    /// Output by output, each as long as what goes in.
    weights: Vec<i8>,
    inputs: usize,
    /// What a step is worth, an output.
    steps: Vec<f32>,
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
const GREATEST: f32 = 2047.0;

/// Rows rounded to whole numbers, and what one is worth in each row.
pub struct Rows {
    whole: Vec<i16>,
    scales: Vec<f32>,
}

impl Rows {
    /// Rounds rows of `width` values.
    pub fn new(values: &[f32], width: usize) -> Self {
        let mut whole = vec![0i16; values.len()];
        let mut scales = Vec::with_capacity(values.len() / width);
        pulp::Arch::new().dispatch(|| {
            for (row, whole) in values.chunks_exact(width).zip(whole.chunks_exact_mut(width)) {
                let greatest = greatest(row);
                let factor = GREATEST / greatest.max(f32::MIN_POSITIVE * GREATEST);
                for (whole, value) in whole.iter_mut().zip(row) {
                    *whole = (value * factor + 0.5f32.copysign(*value)) as i16;
                }
                scales.push(1.0 / factor);
            }
        });
        Self { whole, scales }
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
    pub fn new(weights: Vec<i8>, inputs: usize, steps: Vec<f32>) -> Self {
        Self { weights, inputs, steps }
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
        let outputs = self.outputs();
        let mut sums = vec![0i32; rows.scales.len() * outputs];
        self::sums(&rows.whole, &self.weights, self.inputs, &mut sums);
        let mut out = Vec::with_capacity(sums.len());
        for (sums, scale) in sums.chunks_exact(outputs).zip(&rows.scales) {
            out.extend(
                sums.iter().zip(&self.steps).map(|(sum, step)| *sum as f32 * (step * scale)),
            );
        }
        out
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

/// All rows by all outputs, row by row.
fn sums(rows: &[i16], weights: &[i8], inputs: usize, sums: &mut [i32]) {
    let arch = pulp::Arch::new();
    #[cfg(target_arch = "x86_64")]
    if let pulp::Arch::V3(simd) = arch {
        return simd.vectorize(avx2::Tiles { simd, rows, weights, inputs, sums });
    }
    arch.dispatch(|| plainly(rows, weights, inputs, sums));
}

/// The same on any processor.
#[inline(always)]
fn plainly(rows: &[i16], weights: &[i8], inputs: usize, sums: &mut [i32]) {
    let outputs = weights.len() / inputs;
    for (row, sums) in rows.chunks_exact(inputs).zip(sums.chunks_exact_mut(outputs)) {
        for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(inputs)) {
            *sum = row.iter().zip(weights).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, span: i64) -> impl Iterator<Item = i64> {
        (0..count as i64).map(move |n| (n * 2_654_435_761).rem_euclid(2 * span + 1) - span)
    }

    /// Whatever the processor, the sums are the plain ones.
    #[test]
    fn tiles_are_the_plain_sums() {
        for (inputs, outputs, rows) in
            [(96, 7, 5), (192, 431, 1), (256, 9, 12), (50, 3, 6), (7, 2, 3)]
        {
            let weights: Vec<i8> = numbers(inputs * outputs, 127).map(|n| n as i8).collect();
            let x: Vec<i16> = numbers(rows * inputs, 2047).map(|n| n as i16).collect();
            let (mut fast, mut plain) = (vec![0; rows * outputs], vec![0; rows * outputs]);
            sums(&x, &weights, inputs, &mut fast);
            plainly(&x, &weights, inputs, &mut plain);
            assert_eq!(fast, plain, "{inputs} x {outputs} x {rows}");
        }
    }

    #[test]
    fn a_product_is_near_that_in_floats() {
        let (inputs, outputs, rows) = (96, 7, 5);
        let weights: Vec<i8> = numbers(inputs * outputs, 127).map(|n| n as i8).collect();
        let steps: Vec<f32> = (0..outputs).map(|n| 0.005 * (n + 1) as f32).collect();
        let x: Vec<f32> = numbers(rows * inputs, 1000).map(|n| n as f32 / 1000.0).collect();
        let out = Matrix::new(weights.clone(), inputs, steps.clone()).times(&x);
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
