//! Panels times rows by VNNI's products of bytes.

use super::{PIECE, SIDE, STEP, put};
use archmage::prelude::*;

#[arcane]
pub fn times(
    _token: X64V4xToken,
    rows: &[u8],
    weights: &[i8],
    inputs: usize,
    outputs: usize,
    sums: &mut [i32],
) {
    // Thirty-two registers hold twenty-four sums, four pieces of weights and one of a row.
    bands!(tile, rows, weights, inputs, outputs, sums, 4, [6, 5, 4, 3, 2, 1]);
}

#[rite(v4x, import_intrinsics)]
fn tile<const R: usize, const C: usize>(
    rows: &[u8],
    panels: &[i8],
    inputs: usize,
    sums: &mut [i32],
    outputs: usize,
    left: usize,
) {
    let steps = inputs / STEP;
    let row: [&[[u8; STEP]]; R] =
        std::array::from_fn(|r| &rows[r * inputs..(r + 1) * inputs].as_chunks().0[..steps]);
    let panel: [&[[i8; PIECE]]; C] = std::array::from_fn(|c| {
        &panels[c * SIDE * inputs..(c + 1) * SIDE * inputs].as_chunks().0[..steps]
    });
    let mut totals = [[_mm512_setzero_si512(); C]; R];
    for k in 0..steps {
        let mut weights = [_mm512_setzero_si512(); C];
        for c in 0..C {
            weights[c] = _mm512_loadu_si512(&panel[c][k]);
        }
        for r in 0..R {
            let four = _mm512_set1_epi32(i32::from_le_bytes(row[r][k]));
            for c in 0..C {
                totals[r][c] = _mm512_dpbusd_epi32(totals[r][c], four, weights[c]);
            }
        }
    }
    for (r, totals) in totals.iter().enumerate() {
        for (c, total) in totals.iter().enumerate() {
            let mut found = [0i32; SIDE];
            _mm512_storeu_si512(&mut found, *total);
            put(sums, r * outputs + c * SIDE, left - c * SIDE, found);
        }
    }
}
