//! The scan held to sums written out in double precision.

mod accuracy;
mod reference;
mod robustness;

use super::{Request, Scanned, Sink, scan};
use crate::dump::Dtype;
use crate::error::Error;
use crate::numeric::Rows;

/// Standard normal numbers from a seed: sums of twelve uniform numbers would have too light tails for fourth moments,
/// so pairs by Box and Muller.
pub struct Normal(u64);

impl Normal {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform on (0, 1], by splitmix64.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    pub fn next(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A dump of one tensor: its bytes, one byte off any alignment, and its numbers.
pub struct Data {
    pub dtype: Dtype,
    pub columns: usize,
    bytes: Vec<u8>,
    pub values: Vec<Vec<f64>>,
}

impl Data {
    /// Store rows, rounded towards zero to the format; the numbers are those stored.
    pub fn new(dtype: Dtype, rows: &[Vec<f64>]) -> Self {
        let mut bytes = vec![0];
        let mut values = Vec::new();
        for row in rows {
            values.push(row.iter().map(|&value| store(dtype, value, &mut bytes)).collect());
        }
        Self { dtype, columns: rows[0].len(), bytes, values }
    }

    pub fn rows(&self) -> Rows<'_> {
        let length = self.columns * self.dtype.size();
        let rows = (0..self.values.len()).map(|row| &self.bytes[1 + row * length..][..length]).collect();
        Rows::new(self.dtype, self.columns, rows).unwrap()
    }
}

/// Append a number; return what was stored.
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
fn store(dtype: Dtype, value: f64, bytes: &mut Vec<u8>) -> f64 {
    let single = value as f32;
    match dtype {
        Dtype::F64 => {
            bytes.extend(value.to_le_bytes());
            value
        }
        Dtype::F32 => {
            bytes.extend(single.to_le_bytes());
            f64::from(single)
        }
        Dtype::Bf16 => {
            let bits = (single.to_bits() >> 16) as u16;
            bytes.extend(bits.to_le_bytes());
            f64::from(f32::from_bits(u32::from(bits) << 16))
        }
        Dtype::F16 => {
            // Multiplying by 2⁻¹¹² moves the exponent and makes subnormal what is subnormal in half precision.
            let scaled = single.abs() * f32::from_bits((127 - 112) << 23);
            let bits = (scaled.to_bits() >> 13).min(0x7bff) as u16;
            let sign = if single < 0.0 { 0x8000 } else { 0 };
            bytes.extend((bits | sign).to_le_bytes());
            let magnitude = f64::from(f32::from_bits(u32::from(bits) << 13)) * 112_f64.exp2();
            if single < 0.0 { -magnitude } else { magnitude }
        }
        Dtype::F8E4M3 | Dtype::F8E5M2 => {
            let (mantissa, bias, largest) = if dtype == Dtype::F8E4M3 { (3, 7, 0x7e) } else { (2, 15, 0x7b) };
            let of = |bits: u8| {
                let (exponent, digits) =
                    (i32::from(bits >> mantissa), f64::from(bits & ((1 << mantissa) - 1)));
                let fraction = digits / f64::from(1 << mantissa);
                if exponent == 0 {
                    fraction * f64::from(1 - bias).exp2()
                } else {
                    (1.0 + fraction) * f64::from(exponent - bias).exp2()
                }
            };
            let bits = (0..=largest).rev().find(|&bits| of(bits) <= value.abs()).unwrap();
            bytes.push(if value < 0.0 { bits | 0x80 } else { bits });
            of(bits) * value.signum()
        }
    }
}

/// Normal numbers with means of the order of the standard deviations, both different for every column.
pub fn gradients(dtype: Dtype, rows: usize, columns: usize, seed: u64) -> Data {
    let mut normal = Normal::new(seed);
    let scales: Vec<(f64, f64)> = (0..columns).map(|_| (0.3 * normal.next(), normal.next().exp())).collect();
    let row = |normal: &mut Normal| -> Vec<f64> {
        scales.iter().map(|(mean, scale)| scale * (mean + normal.next())).collect()
    };
    let rows: Vec<Vec<f64>> = (0..rows).map(|_| row(&mut normal)).collect();
    Data::new(dtype, &rows)
}

/// Everything a sink received, per tensor.
#[derive(Default)]
pub struct Collected(pub Vec<[Vec<f32>; 4]>);

impl Sink for Collected {
    fn unit(
        &mut self,
        tensor: usize,
        first: usize,
        mean: &[f32],
        variance: &[f32],
        third: &[f32],
        fourth: &[f32],
    ) -> Result<(), Error> {
        self.0.resize_with(self.0.len().max(tensor + 1), Default::default);
        let target = &mut self.0[tensor];
        assert_eq!(target[0].len(), first, "units come in the order of parameters");
        for (target, values) in target.iter_mut().zip([mean, variance, third, fourth]) {
            target.extend_from_slice(values);
        }
        Ok(())
    }
}

/// Scan one tensor with all rows.
pub fn scan_all(data: &Data, request: &Request<'_>) -> (Scanned, [Vec<f32>; 4]) {
    let mut sink = Collected::default();
    let keep = vec![true; data.values.len()];
    let scanned = scan(&[data.rows()], &keep, request, Some(&mut sink), &mut |_| true).unwrap();
    (scanned, sink.0.pop().unwrap())
}

pub fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected} ± {tolerance}");
}
