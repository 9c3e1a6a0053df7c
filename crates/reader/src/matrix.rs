//! Products in whole numbers: the same on every machine, and fast on one without a GPU.
//!
//! What goes in is rounded to 12 bits a row; the weights are whole steps of 8 bits, and what a step
//! is worth goes by the output. Sums are exact.

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
                let greatest = row.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
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
        pulp::Arch::new().dispatch(Sums {
            rows: &rows.whole,
            weights: &self.weights,
            inputs: self.inputs,
            sums: &mut sums,
        });
        let mut out = Vec::with_capacity(sums.len());
        for (sums, scale) in sums.chunks_exact(outputs).zip(&rows.scales) {
            out.extend(sums.iter().zip(&self.steps).map(|(sum, step)| *sum as f32 * (step * scale)));
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

/// All rows by all outputs, compiled for what the processor can do.
struct Sums<'a> {
    rows: &'a [i16],
    weights: &'a [i8],
    inputs: usize,
    sums: &'a mut [i32],
}

impl pulp::WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let outputs = self.weights.len() / self.inputs;
        for (at, weights) in self.weights.chunks_exact(self.inputs).enumerate() {
            let mut pairs = self.rows.chunks_exact(2 * self.inputs);
            let mut sums = self.sums.chunks_exact_mut(2 * outputs);
            for (pair, sums) in pairs.by_ref().zip(sums.by_ref()) {
                let (first, second) = pair.split_at(self.inputs);
                // This very form is what compilers turn into multiply-and-add of neighbours; two
                // rows at a time, so that a weight is loaded once for both.
                let (mut a, mut b) = (0i32, 0i32);
                for ((w, x), y) in weights.iter().zip(first).zip(second) {
                    a += i32::from(*x) * i32::from(*w);
                    b += i32::from(*y) * i32::from(*w);
                }
                sums[at] = a;
                sums[outputs + at] = b;
            }
            let last = pairs.remainder();
            if let (false, Some(sum)) = (last.is_empty(), sums.into_remainder().get_mut(at)) {
                *sum = last.iter().zip(weights).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_near_that_in_floats() {
        let (inputs, outputs, rows) = (96, 7, 5);
        let value = |n: usize| ((n * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let weights: Vec<i8> =
            (0..inputs * outputs).map(|n| ((n * 7919 % 255) as i16 - 127) as i8).collect();
        let steps: Vec<f32> = (0..outputs).map(|n| 0.005 * (n + 1) as f32).collect();
        let x: Vec<f32> = (0..rows * inputs).map(value).collect();
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
