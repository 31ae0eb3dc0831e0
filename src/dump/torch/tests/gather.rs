//! The numbers of an entry as float32, the slow way.

use crate::{Dtype, Entry, Location};

/// All numbers in row-major order. Panics where one would lie outside the file.
pub(super) fn numbers(bytes: &[u8], entry: &Entry) -> Vec<f32> {
    let size = entry.dtype.size();
    let number = |at: usize| decode(entry.dtype, &bytes[at..at + size]);
    let count = entry.shape.iter().product();
    match &entry.location {
        Location::Plain { offset } => (0..count).map(|index| number(offset + size * index)).collect(),
        Location::Strided { offset, strides } => (0..count)
            .map(|mut flat| {
                let mut element = 0;
                for (&length, &stride) in entry.shape.iter().zip(strides).rev() {
                    element += stride * (flat % length);
                    flat /= length;
                }
                number(offset + size * element)
            })
            .collect(),
        Location::Deflated { .. } => panic!("PyTorch compresses nothing"),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the expected values were cut to single precision, too")]
fn decode(dtype: Dtype, bytes: &[u8]) -> f32 {
    match dtype {
        Dtype::F64 => f64::from_le_bytes(bytes.try_into().unwrap()) as f32,
        Dtype::F32 => f32::from_le_bytes(bytes.try_into().unwrap()),
        Dtype::Bf16 => f32::from_bits(u32::from(u16::from_le_bytes(bytes.try_into().unwrap())) << 16),
        Dtype::F16 => small(u16::from_le_bytes(bytes.try_into().unwrap()), 5, 10),
        Dtype::F8E5M2 => small(bytes[0].into(), 5, 2),
        Dtype::F8E4M3 => small(bytes[0].into(), 4, 3),
    }
}

/// A finite number of one sign bit, these exponent and these fraction bits.
fn small(bits: u16, exponent_bits: i32, fraction_bits: i32) -> f32 {
    let fraction = f32::from(bits & ((1 << fraction_bits) - 1));
    let exponent = i32::from((bits >> fraction_bits) & ((1 << exponent_bits) - 1));
    let bias = (1 << (exponent_bits - 1)) - 1;
    let unit = 2_f32.powi(exponent.max(1) - bias - fraction_bits);
    let hidden = if exponent == 0 { 0.0 } else { 2_f32.powi(fraction_bits) };
    let sign = if bits >> (exponent_bits + fraction_bits) == 0 { 1.0 } else { -1.0 };
    sign * unit * (hidden + fraction)
}
