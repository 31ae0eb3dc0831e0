//! The six formats, portably.

use super::format::{Format, Wide};
use super::lanes::{HALF_LANES, Half, LANES};

/// Columns in the order of memory.
const IN_ORDER: [usize; LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Even columns, then odd ones: what two halves of a 32-bit word give without moving numbers between lanes.
const EVEN_ODD: [usize; LANES] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];

/// Properties of a format: name, real type, wide twin, bits, sign mask, smallest normal, smallest non-finite,
/// column order, conversion of a block.
macro_rules! format {
    ($(#[$doc:meta])* $name:ident, $real:ty, $wide:ty, $bits:ty, $mask:literal, $normal:literal, $end:literal,
     $columns:ident, $load:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl Format for $name {
            type Real = $real;
            type Block = [u8; LANES * size_of::<$bits>()];
            type Magnitude = $bits;
            // No more than fills a register or two.
            type Least = [$bits; if size_of::<$bits>() > 2 { HALF_LANES } else { LANES }];
            type Wide = $wide;

            const SIZE: usize = size_of::<$bits>();
            const COLUMNS: [usize; LANES] = $columns;
            const NORMAL: $bits = $normal;
            const NON_FINITE: $bits = $end;
            const ZERO: $bits = 0;

            #[inline(always)]
            fn blocks(row: &[u8]) -> (&[Self::Block], &[u8]) {
                row.as_chunks()
            }

            #[inline(always)]
            fn padded(bytes: &[u8]) -> Self::Block {
                let mut block = [0; LANES * size_of::<$bits>()];
                block[..bytes.len()].copy_from_slice(bytes);
                block
            }

            #[inline(always)]
            fn load<const HALF: usize>(block: &Self::Block) -> Half<$real> {
                let load: fn(&Self::Block, usize) -> [$real; HALF_LANES] = $load;
                Half(load(block, HALF))
            }

            #[inline(always)]
            fn magnitudes(block: &Self::Block) -> [$bits; LANES] {
                let numbers = block.as_chunks::<{ size_of::<$bits>() }>().0;
                std::array::from_fn(|lane| <$bits>::from_le_bytes(numbers[lane]) & $mask)
            }

            #[inline(always)]
            fn none() -> Self::Least {
                [<$bits>::MAX; _]
            }

            #[inline(always)]
            fn least(mut least: Self::Least, block: &Self::Block) -> Self::Least {
                for magnitudes in Self::magnitudes(block).as_chunks().0 {
                    for (least, magnitude) in least.iter_mut().zip(magnitudes as &Self::Least) {
                        *least = (*magnitude).min(*least);
                    }
                }
                least
            }

            #[inline(always)]
            fn any_tiny(least: Self::Least) -> bool {
                least.into_iter().any(|magnitude| magnitude < $normal)
            }

            #[inline(always)]
            fn magnitude(bytes: &[u8]) -> $bits {
                <$bits>::from_le_bytes(*bytes.first_chunk().expect("the bytes of one number")) & $mask
            }
        }
    };
}

format!(
    /// OCP E4M3 without infinities: the largest magnitude is its only NaN.
    F8E4M3, f32, Wide<F8E4M3>, u8, 0x7f, 0x08, 0x7f, IN_ORDER,
    |block, half| std::array::from_fn(|lane| E4M3[usize::from(block[half * HALF_LANES + lane])])
);
format!(
    /// Eight bits, five of exponent.
    F8E5M2, f32, Wide<F8E5M2>, u8, 0x7f, 0x04, 0x7c, IN_ORDER,
    |block, half| std::array::from_fn(|lane| E5M2[usize::from(block[half * HALF_LANES + lane])])
);
format!(
    /// IEEE half precision.
    F16, f32, Wide<F16>, u16, 0x7fff, 0x0400, 0x7c00, EVEN_ODD,
    |block, half| words(block).map(|word| half_precision(if half == 0 { word & 0xffff } else { word >> 16 }))
);
format!(
    /// The upper half of single precision.
    Bf16, f32, Wide<Bf16>, u16, 0x7fff, 0x0080, 0x7f80, EVEN_ODD,
    |block, half| words(block).map(|word| f32::from_bits(if half == 0 { word << 16 } else { word & 0xffff_0000 }))
);
format!(
    /// IEEE single precision.
    F32, f32, Wide<F32>, u32, 0x7fff_ffff, 0x0080_0000, 0x7f80_0000, IN_ORDER,
    |block, half| {
        let numbers = block.as_chunks().0;
        std::array::from_fn(|lane| f32::from_le_bytes(numbers[half * HALF_LANES + lane]))
    }
);
format!(
    /// IEEE double precision.
    F64, f64, F64, u64, 0x7fff_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7ff0_0000_0000_0000, IN_ORDER,
    |block, half| {
        let numbers = block.as_chunks().0;
        std::array::from_fn(|lane| f64::from_le_bytes(numbers[half * HALF_LANES + lane]))
    }
);

/// The eight words of sixteen numbers.
#[inline(always)]
fn words(block: &[u8; 2 * LANES]) -> [u32; HALF_LANES] {
    let words = block.as_chunks().0;
    std::array::from_fn(|lane| u32::from_le_bytes(words[lane]))
}

/// The value of a half-precision number, exactly: the exponent is moved by integer arithmetic, and a subnormal number
/// gets a leading one that is then subtracted, so that no subnormal number of single precision is ever touched.
#[inline(always)]
fn half_precision(bits: u32) -> f32 {
    let moved = (bits & 0x7fff) << 13;
    let exponent = moved & 0x0f80_0000;
    let normal = moved + (112 << 23);
    let subnormal = (f32::from_bits(normal + (1 << 23)) - f32::from_bits(113 << 23)).to_bits();
    let non_finite = normal + (112 << 23);
    let magnitude = if exponent == 0 {
        subnormal
    } else if exponent == 0x0f80_0000 {
        non_finite
    } else {
        normal
    };
    f32::from_bits(magnitude | (bits & 0x8000) << 16)
}

static E4M3: [f32; 256] = small_floats(3, 7, false);
static E5M2: [f32; 256] = small_floats(2, 15, true);

/// The values of all eight-bit floating-point numbers with so many bits of mantissa.
const fn small_floats(mantissa_bits: u32, bias: u32, has_infinity: bool) -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut bits = 0_u32;
    while bits < 256 {
        let exponent = (bits & 0x7f) >> mantissa_bits;
        let mantissa = bits & ((1 << mantissa_bits) - 1);
        let top = 0x7f >> mantissa_bits;
        let value = if has_infinity && exponent == top {
            if mantissa == 0 { f32::INFINITY } else { f32::NAN }
        } else if bits & 0x7f == 0x7f {
            f32::NAN
        } else if exponent == 0 {
            // mantissa · 2^(1 − bias − mantissa bits), the power written as bits.
            #[expect(clippy::cast_precision_loss, reason = "at most three bits")]
            let digits = mantissa as f32;
            digits * f32::from_bits((128 - bias - mantissa_bits) << 23)
        } else {
            f32::from_bits((exponent + 127 - bias) << 23 | mantissa << (23 - mantissa_bits))
        };
        table[bits as usize] = if bits >= 128 { -value } else { value };
        bits += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ± (1 + m/2ᵏ)·2^(e − bias), without the one and with e = 1 for e = 0; non-finite for the largest e.
    fn value(bits: u32, mantissa_bits: u32, exponent_bits: u32) -> f64 {
        let mantissa = f64::from(bits % (1 << mantissa_bits)) / f64::from(1_u32 << mantissa_bits);
        let exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
        let sign = if bits >> (mantissa_bits + exponent_bits) == 0 { 1.0 } else { -1.0 };
        let bias = (1 << (exponent_bits - 1)) - 1;
        let power = |exponent: u32| f64::from(exponent.cast_signed() - bias).exp2();
        match exponent {
            0 => sign * mantissa * power(1),
            _ => sign * (1.0 + mantissa) * power(exponent),
        }
    }

    fn same(
        found: f32,
        bits: u32,
        mantissa_bits: u32,
        exponent_bits: u32,
        magnitude_of_nan: u32,
        infinite: bool,
    ) {
        let magnitude = bits & ((1 << (mantissa_bits + exponent_bits)) - 1);
        if infinite && magnitude == magnitude_of_nan - 1 {
            assert!(found.is_infinite() && found.is_sign_negative() == (bits != magnitude), "{bits:x}");
        } else if magnitude >= magnitude_of_nan {
            assert!(found.is_nan(), "{bits:x}");
        } else {
            assert_eq!(f64::from(found), value(bits, mantissa_bits, exponent_bits), "{bits:x}");
        }
    }

    #[test]
    fn every_small_number_has_its_value() {
        for bits in 0..=0xffff {
            same(half_precision(bits), bits, 10, 5, 0x7c01, true);
        }
        for (bits, found) in (0..).zip(E5M2) {
            same(found, bits, 2, 5, 0x7d, true);
        }
        for (bits, found) in (0..).zip(E4M3) {
            same(found, bits, 3, 4, 0x7f, false);
        }
    }
}
