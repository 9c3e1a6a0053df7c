//! The product on processors with AVX2: tiles of rows by outputs that stay in registers, sixteen
//! weights at a time. Three times as fast as what the compiler makes of the plain loop.

use pulp::x86::V3;
use std::arch::x86_64::__m256i;

/// Rows by all outputs.
pub struct Tiles<'a> {
    pub simd: V3,
    pub rows: &'a [i16],
    pub weights: &'a [i8],
    pub inputs: usize,
    pub sums: &'a mut [i32],
}

impl pulp::NullaryFnOnce for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rows, weights, inputs, sums } = self;
        let outputs = weights.len() / inputs;
        let (many, few) = rows.split_at(rows.len() / (4 * inputs) * 4 * inputs);
        let (many_sums, few_sums) = sums.split_at_mut(many.len() / inputs * outputs);
        // Sixteen registers hold eight sums, four pieces of rows and two of weights.
        bands::<4, 2>(simd, many, weights, inputs, many_sums);
        bands::<1, 4>(simd, few, weights, inputs, few_sums);
    }
}

#[inline(always)]
fn bands<const R: usize, const C: usize>(
    simd: V3,
    rows: &[i16],
    weights: &[i8],
    inputs: usize,
    sums: &mut [i32],
) {
    let outputs = weights.len() / inputs;
    for (rows, sums) in rows.chunks_exact(R * inputs).zip(sums.chunks_exact_mut(R * outputs)) {
        let mut columns = weights.chunks_exact(C * inputs);
        let mut at = 0;
        for columns in columns.by_ref() {
            tile::<R, C>(simd, rows, columns, inputs, &mut sums[at..], outputs);
            at += C;
        }
        for column in columns.remainder().chunks_exact(inputs) {
            tile::<R, 1>(simd, rows, column, inputs, &mut sums[at..], outputs);
            at += 1;
        }
    }
}

#[inline(always)]
fn tile<const R: usize, const C: usize>(
    simd: V3,
    rows: &[i16],
    columns: &[i8],
    inputs: usize,
    sums: &mut [i32],
    outputs: usize,
) {
    let mut totals = [[simd.avx._mm256_setzero_si256(); C]; R];
    let whole = inputs / 16;
    let row: [&[[i16; 16]]; R] =
        std::array::from_fn(|r| &rows[r * inputs..(r + 1) * inputs].as_chunks().0[..whole]);
    let column: [&[[i8; 16]]; C] =
        std::array::from_fn(|c| &columns[c * inputs..(c + 1) * inputs].as_chunks().0[..whole]);
    for k in 0..whole {
        let wide: [__m256i; C] =
            std::array::from_fn(|c| simd.avx2._mm256_cvtepi8_epi16(pulp::cast(column[c][k])));
        for r in 0..R {
            let x: __m256i = pulp::cast(row[r][k]);
            for c in 0..C {
                let products = simd.avx2._mm256_madd_epi16(x, wide[c]);
                totals[r][c] = simd.avx2._mm256_add_epi32(totals[r][c], products);
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            let lanes: [i32; 8] = pulp::cast(totals[r][c]);
            let rest = (whole * 16..inputs)
                .map(|k| i32::from(rows[r * inputs + k]) * i32::from(columns[c * inputs + k]));
            sums[r * outputs + c] = lanes.iter().sum::<i32>() + rest.sum::<i32>();
        }
    }
}
