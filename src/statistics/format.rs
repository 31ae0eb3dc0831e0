//! Stored numbers → lanes, and what kind of numbers they are.

use super::lanes::{LANES, Lanes, Real};

/// How the numbers of a row are stored, and in which precision a kernel computes with them.
pub trait Format: Send + Sync + 'static {
    /// What the kernel computes in.
    type Real: Real + Send + Sync;
    /// The bytes of sixteen numbers.
    type Block: Copy;
    /// The bits of a number without its sign.
    type Magnitude: Copy + Ord;
    /// The same storage, computed with in double precision.
    type Wide: Format<Real = f64>;

    /// Bytes of a number.
    const SIZE: usize;
    /// The column of each lane, within a block.
    const COLUMNS: [usize; LANES];
    /// More than any magnitude.
    const LARGEST: Self::Magnitude;
    /// The smallest number that is neither zero nor subnormal.
    const NORMAL: Self::Magnitude;
    /// The smallest magnitude that is no finite number.
    const NON_FINITE: Self::Magnitude;
    /// Zero.
    const ZERO: Self::Magnitude;

    /// The whole blocks of a row, and the bytes after them.
    fn blocks(row: &[u8]) -> (&[Self::Block], &[u8]);

    /// A block of fewer than sixteen numbers, zeros after them.
    fn padded(bytes: &[u8]) -> Self::Block;

    /// The numbers of a block.
    fn load(block: &Self::Block) -> Lanes<Self::Real>;

    /// The magnitudes of a block, in any order.
    fn magnitudes(block: &Self::Block) -> [Self::Magnitude; LANES];

    /// The magnitude of one number.
    fn magnitude(bytes: &[u8]) -> Self::Magnitude;
}

/// Columns in the order of memory.
const IN_ORDER: [usize; LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Even columns, then odd ones: what two halves of a 32-bit word give without moving numbers between lanes.
const EVEN_ODD: [usize; LANES] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];

/// What the formats differ in: name, real type, wide twin, bits, sign mask, smallest normal, smallest non-finite,
/// column order, conversion of a block.
macro_rules! format {
    ($(#[$doc:meta])* $name:ident, $real:ty, $wide:ident, $bits:ty, $mask:literal, $normal:literal, $end:literal,
     $columns:ident, $load:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl Format for $name {
            type Real = $real;
            type Block = [u8; LANES * size_of::<$bits>()];
            type Magnitude = $bits;
            type Wide = $wide;

            const SIZE: usize = size_of::<$bits>();
            const COLUMNS: [usize; LANES] = $columns;
            const LARGEST: $bits = <$bits>::MAX;
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
            fn load(block: &Self::Block) -> Lanes<$real> {
                let load: fn(&Self::Block) -> [$real; LANES] = $load;
                Lanes(load(block))
            }

            #[inline(always)]
            fn magnitudes(block: &Self::Block) -> [$bits; LANES] {
                let numbers = block.as_chunks::<{ size_of::<$bits>() }>().0;
                std::array::from_fn(|lane| <$bits>::from_le_bytes(numbers[lane]) & $mask)
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
    F8E4M3, f32, F8E4M3Wide, u8, 0x7f, 0x08, 0x7f, IN_ORDER, |block| block.map(|bits| E4M3[usize::from(bits)])
);
format!(
    /// The same in double precision.
    F8E4M3Wide, f64, F8E4M3Wide, u8, 0x7f, 0x08, 0x7f, IN_ORDER, |block| widened::<F8E4M3>(block)
);
format!(
    /// Eight bits, five of exponent.
    F8E5M2, f32, F8E5M2Wide, u8, 0x7f, 0x04, 0x7c, IN_ORDER, |block| block.map(|bits| E5M2[usize::from(bits)])
);
format!(
    /// The same in double precision.
    F8E5M2Wide, f64, F8E5M2Wide, u8, 0x7f, 0x04, 0x7c, IN_ORDER, |block| widened::<F8E5M2>(block)
);
format!(
    /// IEEE half precision.
    F16, f32, F16Wide, u16, 0x7fff, 0x0400, 0x7c00, EVEN_ODD, |block| even_odd(block, |half| half_precision(half & 0xffff), |word| half_precision(word >> 16))
);
format!(
    /// The same in double precision.
    F16Wide, f64, F16Wide, u16, 0x7fff, 0x0400, 0x7c00, EVEN_ODD, |block| widened::<F16>(block)
);
format!(
    /// The upper half of single precision.
    Bf16, f32, Bf16Wide, u16, 0x7fff, 0x0080, 0x7f80, EVEN_ODD,
    |block| even_odd(block, |word| f32::from_bits(word << 16), |word| f32::from_bits(word & 0xffff_0000))
);
format!(
    /// The same in double precision.
    Bf16Wide, f64, Bf16Wide, u16, 0x7fff, 0x0080, 0x7f80, EVEN_ODD, |block| widened::<Bf16>(block)
);
format!(
    /// IEEE single precision.
    F32, f32, F32Wide, u32, 0x7fff_ffff, 0x0080_0000, 0x7f80_0000, IN_ORDER,
    |block| {
        let numbers = block.as_chunks().0;
        std::array::from_fn(|lane| f32::from_le_bytes(numbers[lane]))
    }
);
format!(
    /// The same in double precision.
    F32Wide, f64, F32Wide, u32, 0x7fff_ffff, 0x0080_0000, 0x7f80_0000, IN_ORDER, |block| widened::<F32>(block)
);
format!(
    /// IEEE double precision.
    F64, f64, F64, u64, 0x7fff_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7ff0_0000_0000_0000, IN_ORDER,
    |block| {
        let numbers = block.as_chunks().0;
        std::array::from_fn(|lane| f64::from_le_bytes(numbers[lane]))
    }
);

#[inline(always)]
fn widened<F: Format<Real = f32>>(block: &F::Block) -> [f64; LANES] {
    F::load(block).0.map(f64::from)
}

/// The lower halves of eight words, then the upper ones.
#[inline(always)]
fn even_odd(block: &[u8; 2 * LANES], even: impl Fn(u32) -> f32, odd: impl Fn(u32) -> f32) -> [f32; LANES] {
    let words = block.as_chunks().0;
    std::array::from_fn(|lane| {
        let word = u32::from_le_bytes(words[lane % 8]);
        if lane < 8 { even(word) } else { odd(word) }
    })
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

/// Elements that a report mentions, judged as they are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Exact zeros.
    pub zeros: u64,
    /// Neither zero nor normal.
    pub subnormals: u64,
    /// Not a number, or infinite.
    pub non_finite: u64,
}

/// Count in a piece of one row.
#[inline(always)]
pub fn count<F: Format>(row: &[u8]) -> Counts {
    let (blocks, rest) = F::blocks(row);
    let mut counts = Counts::default();
    // Few enough blocks that the sums of a lane fit into 16 bits.
    for blocks in blocks.chunks(1 << 12) {
        let mut zeros = [0_u16; LANES];
        let mut tiny = [0_u16; LANES];
        let mut non_finite = [0_u16; LANES];
        for block in blocks {
            let magnitudes = F::magnitudes(block);
            for lane in 0..LANES {
                zeros[lane] += u16::from(magnitudes[lane] == F::ZERO);
                tiny[lane] += u16::from(magnitudes[lane] < F::NORMAL);
                non_finite[lane] += u16::from(magnitudes[lane] >= F::NON_FINITE);
            }
        }
        let total = |lanes: [u16; LANES]| lanes.into_iter().map(u64::from).sum::<u64>();
        counts.zeros += total(zeros);
        counts.subnormals += total(tiny) - total(zeros);
        counts.non_finite += total(non_finite);
    }
    for number in rest.chunks_exact(F::SIZE) {
        let magnitude = F::magnitude(number);
        counts.zeros += u64::from(magnitude == F::ZERO);
        counts.subnormals += u64::from(magnitude < F::NORMAL && magnitude != F::ZERO);
        counts.non_finite += u64::from(magnitude >= F::NON_FINITE);
    }
    counts
}
