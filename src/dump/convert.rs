//! Stored numbers as double precision, which holds every one of them exactly.

use super::{Container, Dtype, layout};
use crate::error::Error;

impl Container {
    /// Up to `count` numbers of entry `index` in row-major order, from number `start` on; to look at, not to compute
    /// with.
    ///
    /// # Errors
    /// There is no such entry or number, or [`Container::data`] refuses.
    pub fn numbers(&self, index: usize, start: usize, count: usize) -> Result<Vec<f64>, Error> {
        let entries = &self.contents().entries;
        let Some(entry) = entries.get(index) else {
            let problem =
                format!("the index of an array must be below {}; got {index}. Correct it.", entries.len());
            return Err(Error::in_file(self.label(), None, None, problem));
        };
        let size = entry.dtype.size();
        let total = layout::size(entry) / size;
        if start > total {
            let problem = format!("the first number must be at most {total}; got {start}. Correct it.");
            return Err(Error::in_file(self.label(), Some(&entry.name), None, problem));
        }
        let end = start + count.min(total - start);
        Ok(to_f64(entry.dtype, &self.data(index)?[start * size..end * size]))
    }
}

/// Convert row-major little-endian numbers, of any alignment; bytes of an incomplete last number are left out.
pub(super) fn to_f64(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    let wide = |number: f32| f64::from(number);
    match dtype {
        Dtype::F8E4M3 => bytes.iter().map(|&bits| wide(e4m3(bits))).collect(),
        Dtype::F8E5M2 => bytes.iter().map(|&bits| wide(half(u16::from(bits) << 8))).collect(),
        Dtype::F16 => numbers(bytes).map(|bytes| wide(half(u16::from_le_bytes(bytes)))).collect(),
        Dtype::Bf16 => numbers(bytes).map(|bytes| wide(brain(u16::from_le_bytes(bytes)))).collect(),
        Dtype::F32 => numbers(bytes).map(|bytes| wide(f32::from_le_bytes(bytes))).collect(),
        Dtype::F64 => numbers(bytes).map(f64::from_le_bytes).collect(),
    }
}

fn numbers<const SIZE: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; SIZE]> {
    bytes.as_chunks::<SIZE>().0.iter().copied()
}

/// bfloat16: the upper half of a single-precision number.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE half precision: 5 bits of exponent with bias 15, 10 bits of fraction. E5M2 is its upper half.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(bits >> 15) << 31, (bits >> 10) & 31, u32::from(bits & 0x3ff));
    match exponent {
        0 => subnormal(sign, fraction, -24),
        31 => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((u32::from(exponent) + 127 - 15) << 23) | (fraction << 13)),
    }
}

/// OCP E4M3: 4 bits of exponent with bias 7, 3 bits of fraction, no infinity, and NaN only where all bits are ones.
fn e4m3(bits: u8) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 7) << 31, (bits >> 3) & 15, u32::from(bits & 7));
    match (exponent, fraction) {
        (15, 7) => f32::from_bits(sign | 0x7fc0_0000),
        (0, _) => subnormal(sign, fraction, -9),
        _ => f32::from_bits(sign | ((u32::from(exponent) + 127 - 7) << 23) | (fraction << 20)),
    }
}

/// A multiple of the smallest number, a power of two; exact in single precision.
fn subnormal(sign: u32, fraction: u32, power: i32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a fraction of at most 10 bits")]
    let magnitude = fraction as f32 * 2.0_f32.powi(power);
    f32::from_bits(magnitude.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal to the bit, or both no numbers.
    fn same(found: f64, expected: f64) -> bool {
        found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan())
    }

    #[test]
    fn every_number_of_two_bytes_is_that_of_the_half_crate() {
        for bits in 0..=u16::MAX {
            let bytes = bits.to_le_bytes();
            assert!(same(to_f64(Dtype::F16, &bytes)[0], half::f16::from_bits(bits).to_f64()), "{bits:#x}");
            assert!(same(to_f64(Dtype::Bf16, &bytes)[0], half::bf16::from_bits(bits).to_f64()), "{bits:#x}");
        }
    }

    /// (-1)^s · 2^(e - bias) · (1 + m/2^width), or 2^(1 - bias) · m/2^width for e = 0.
    fn definition(bits: u8, width: u32, bias: i32) -> f64 {
        let (exponent, fraction) = (i32::from((bits & 0x7f) >> width), f64::from(bits & ((1 << width) - 1)));
        let part = fraction / f64::from(1 << width);
        let magnitude = if exponent == 0 {
            part * 2.0_f64.powi(1 - bias)
        } else {
            (1.0 + part) * 2.0_f64.powi(exponent - bias)
        };
        if bits & 0x80 == 0 { magnitude } else { -magnitude }
    }

    #[test]
    fn every_number_of_one_byte_is_that_of_its_definition() {
        for bits in 0..=u8::MAX {
            let magnitude = bits & 0x7f;
            let expected = if magnitude == 0x7f { f64::NAN } else { definition(bits, 3, 7) };
            assert!(same(to_f64(Dtype::F8E4M3, &[bits])[0], expected), "{bits:#x}");
            let expected = match magnitude {
                0x7c => f64::INFINITY.copysign(definition(bits, 2, 15)),
                0x7d.. => f64::NAN,
                _ => definition(bits, 2, 15),
            };
            assert!(same(to_f64(Dtype::F8E5M2, &[bits])[0], expected), "{bits:#x}");
        }
        // The largest numbers in the tables of the OCP specification.
        assert_eq!(to_f64(Dtype::F8E4M3, &[0x7e]), [448.0]);
        assert_eq!(to_f64(Dtype::F8E5M2, &[0x7b]), [57344.0]);
    }

    #[test]
    fn a_part_ends_with_its_array() {
        let location = super::super::Location::Plain { offset: 0 };
        let entry = super::super::Entry { name: "w".into(), dtype: Dtype::F8E5M2, shape: vec![3], location };
        // 1, 2 and 4: exponents 15, 16 and 17 over two bits of fraction.
        let buffer = Box::new(vec![15 << 2, 16 << 2, 17 << 2]);
        let container = Container::from_buffer("array".into(), vec![entry], buffer).unwrap();
        assert_eq!(container.numbers(0, 1, usize::MAX).unwrap(), [2.0, 4.0]);
        assert_eq!(container.numbers(0, 0, 1).unwrap(), [1.0]);
        assert!(container.numbers(0, 3, 1).unwrap().is_empty());
        let refusal = container.numbers(0, 4, 1).unwrap_err().to_string();
        assert_eq!(refusal, "'array', tensor 'w': the first number must be at most 3; got 4. Correct it.");
        let refusal = container.numbers(1, 0, 1).unwrap_err().to_string();
        assert_eq!(refusal, "'array': the index of an array must be below 1; got 1. Correct it.");
    }

    #[test]
    fn wider_numbers_keep_their_bits() {
        assert_eq!(to_f64(Dtype::F32, &(-1.5_f32).to_le_bytes()), [-1.5]);
        assert_eq!(to_f64(Dtype::F64, &f64::MIN_POSITIVE.to_le_bytes()), [f64::MIN_POSITIVE]);
    }
}
