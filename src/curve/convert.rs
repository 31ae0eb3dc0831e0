//! Rows of any dtype → single precision.

use crate::dump::Dtype;
use crate::numeric::{Bf16, F8E4M3, F8E5M2, F16, F32, F64, Format, LANES, Real};

/// Convert stored numbers, whatever their alignment; numbers beyond single precision become infinite.
pub fn convert(dtype: Dtype, row: &[u8], target: &mut [f32]) {
    match dtype {
        Dtype::F8E4M3 => run::<F8E4M3>(row, target),
        Dtype::F8E5M2 => run::<F8E5M2>(row, target),
        Dtype::F16 => run::<F16>(row, target),
        Dtype::Bf16 => run::<Bf16>(row, target),
        Dtype::F32 => run::<F32>(row, target),
        Dtype::F64 => run::<F64>(row, target),
    }
}

fn run<F: Format>(row: &[u8], target: &mut [f32]) {
    let (blocks, rest) = F::blocks(row);
    let (whole, last) = target.split_at_mut(blocks.len() * LANES);
    for (block, target) in blocks.iter().zip(whole.as_chunks_mut().0) {
        *target = numbers::<F>(block);
    }
    if !rest.is_empty() {
        last.copy_from_slice(&numbers::<F>(&F::padded(rest))[..rest.len() / F::SIZE]);
    }
}

#[inline(always)]
fn numbers<F: Format>(block: &F::Block) -> [f32; LANES] {
    let halves = [F::load::<0>(block).0, F::load::<1>(block).0];
    let mut found = [0.0; LANES];
    for (lane, number) in halves.as_flattened().iter().enumerate() {
        found[F::COLUMNS[lane]] = f32::narrow(number.wide());
    }
    found
}
