//! Panels times rows by AVX2's products of 16-bit numbers.

use super::{PIECE, SIDE, STEP, put};
use archmage::prelude::*;

#[arcane]
pub fn times(
    _token: X64V3Token,
    rows: &[u8],
    weights: &[i8],
    inputs: usize,
    outputs: usize,
    sums: &mut [i32],
) {
    bands!(tile, rows, weights, inputs, outputs, sums, 1, [2, 1]);
}

#[rite(v3, import_intrinsics)]
fn tile<const R: usize, const C: usize>(
    rows: &[u8],
    panel: &[i8],
    inputs: usize,
    sums: &mut [i32],
    outputs: usize,
    left: usize,
) {
    let steps = inputs / STEP;
    let row: [&[[u8; STEP]]; R] =
        std::array::from_fn(|r| &rows[r * inputs..(r + 1) * inputs].as_chunks().0[..steps]);
    let pieces: &[[i8; PIECE]] = &panel.as_chunks().0[..steps];
    // Of four outputs each, two halves of a sum.
    let mut totals = [[_mm256_setzero_si256(); 4]; R];
    for k in 0..steps {
        let (quarters, _) = pieces[k].as_chunks::<SIDE>();
        let mut weights = [_mm256_setzero_si256(); 4];
        for q in 0..4 {
            weights[q] = _mm256_cvtepi8_epi16(_mm_loadu_si128(&quarters[q]));
        }
        for r in 0..R {
            let four = _mm256_cvtepu8_epi16(_mm_set1_epi32(i32::from_le_bytes(row[r][k])));
            for q in 0..4 {
                let products = _mm256_madd_epi16(four, weights[q]);
                totals[r][q] = _mm256_add_epi32(totals[r][q], products);
            }
        }
    }
    for (r, totals) in totals.iter().enumerate() {
        let mut found = [0i32; SIDE];
        for (found, total) in found.as_chunks_mut::<4>().0.iter_mut().zip(totals) {
            let mut halves = [0i32; 8];
            _mm256_storeu_si256(&mut halves, *total);
            for (found, halves) in found.iter_mut().zip(halves.as_chunks::<2>().0) {
                *found = halves[0] + halves[1];
            }
        }
        put(sums, r * outputs, left, found);
    }
}
