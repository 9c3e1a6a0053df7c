//! Products in whole numbers: the same on every machine, and fast on one without a GPU.
//!
//! What goes in is rounded to 12 bits a row; the weights are whole steps already. Sums are exact.

/// Weights of one layer.
pub struct Matrix {
    /// Column by column, each as long as what goes in.
    columns: Vec<i16>,
    inputs: usize,
    step: f32,
}

/// Greatest whole number that a value is rounded to. With weights of 9 bits and 1,280 of them, no
/// sum reaches 2^31.
const GREATEST: f32 = 2047.0;

impl Matrix {
    /// Takes the columns one after the other, each of `inputs` whole steps.
    pub fn new(columns: Vec<i16>, inputs: usize, step: f32) -> Self {
        Self { columns, inputs, step }
    }

    /// Multiplies rows (each of `inputs` values) by the matrix.
    pub fn times(&self, rows: &[f32]) -> Vec<f32> {
        let (inputs, outputs) = (self.inputs, self.columns.len() / self.inputs);
        let mut whole = vec![0i16; rows.len()];
        let mut scales = Vec::with_capacity(rows.len() / inputs);
        for (row, whole) in rows.chunks_exact(inputs).zip(whole.chunks_exact_mut(inputs)) {
            let greatest = row.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
            let factor = GREATEST / greatest.max(f32::MIN_POSITIVE * GREATEST);
            for (whole, value) in whole.iter_mut().zip(row) {
                *whole = (value * factor + 0.5f32.copysign(*value)) as i16;
            }
            scales.push(self.step / factor);
        }
        let mut sums = vec![0i32; scales.len() * outputs];
        pulp::Arch::new().dispatch(Sums {
            rows: &whole,
            columns: &self.columns,
            inputs,
            sums: &mut sums,
        });
        let sums = sums.chunks_exact(outputs).zip(scales);
        sums.flat_map(|(sums, scale)| sums.iter().map(move |sum| *sum as f32 * scale)).collect()
    }
}

/// All rows by all columns, compiled for what the processor can do.
struct Sums<'a> {
    rows: &'a [i16],
    columns: &'a [i16],
    inputs: usize,
    sums: &'a mut [i32],
}

impl pulp::WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let outputs = self.columns.len() / self.inputs;
        for (at, column) in self.columns.chunks_exact(self.inputs).enumerate() {
            let mut pairs = self.rows.chunks_exact(2 * self.inputs);
            let mut sums = self.sums.chunks_exact_mut(2 * outputs);
            for (pair, sums) in pairs.by_ref().zip(sums.by_ref()) {
                let (first, second) = pair.split_at(self.inputs);
                // This very form is what compilers turn into multiply-and-add of neighbours; two
                // rows at a time, so that a weight is loaded once for both.
                let (mut a, mut b) = (0i32, 0i32);
                for ((w, x), y) in column.iter().zip(first).zip(second) {
                    a += i32::from(*x) * i32::from(*w);
                    b += i32::from(*y) * i32::from(*w);
                }
                sums[at] = a;
                sums[outputs + at] = b;
            }
            let last = pairs.remainder();
            if let (false, Some(sum)) = (last.is_empty(), sums.into_remainder().get_mut(at)) {
                *sum = last.iter().zip(column).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum();
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
        let columns: Vec<i16> =
            (0..inputs * outputs).map(|n| (n * 7919 % 255) as i16 - 127).collect();
        let x: Vec<f32> = (0..rows * inputs).map(value).collect();
        let out = Matrix::new(columns.clone(), inputs, 0.01).times(&x);
        assert_eq!(out.len(), rows * outputs);
        for row in 0..rows {
            for column in 0..outputs {
                let exact: f32 = (0..inputs)
                    .map(|k| x[row * inputs + k] * f32::from(columns[column * inputs + k]) * 0.01)
                    .sum();
                assert!((exact - out[row * outputs + column]).abs() < 0.05, "{row} {column}");
            }
        }
    }
}
