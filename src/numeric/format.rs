//! Stored numbers → lanes, and what kind of numbers they are.

use std::marker::PhantomData;

use super::lanes::{Half, LANES, Real};

/// How the numbers of a row are stored, and in which precision a kernel computes with them.
pub trait Format: Send + Sync + 'static {
    /// Type that the kernel computes in.
    type Real: Real + Send + Sync;
    /// The bytes of sixteen numbers.
    type Block: Copy;
    /// The bits of a number without its sign.
    type Magnitude: Copy + Ord;
    /// The least magnitudes met so far.
    type Least: Copy;
    /// The same storage, computed with in double precision.
    type Wide: Format<Real = f64>;

    /// Bytes of a number.
    const SIZE: usize;
    /// The column of each lane, within a block.
    const COLUMNS: [usize; LANES];
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

    /// The numbers of half a block.
    fn load<const HALF: usize>(block: &Self::Block) -> Half<Self::Real>;

    /// The magnitudes of a block, in any order.
    fn magnitudes(block: &Self::Block) -> [Self::Magnitude; LANES];

    /// The magnitude of one number.
    fn magnitude(bytes: &[u8]) -> Self::Magnitude;

    /// Before any number is met.
    fn none() -> Self::Least;

    /// The least magnitudes after a block.
    fn least(least: Self::Least, block: &Self::Block) -> Self::Least;

    /// Whether a zero or subnormal number was met.
    fn any_tiny(least: Self::Least) -> bool;
}

/// A format, computed with in double precision.
pub struct Wide<F>(PhantomData<F>);

impl<F: Format<Real = f32>> Format for Wide<F> {
    type Real = f64;
    type Block = F::Block;
    type Magnitude = F::Magnitude;
    type Least = F::Least;
    type Wide = Self;

    const SIZE: usize = F::SIZE;
    const COLUMNS: [usize; LANES] = F::COLUMNS;
    const NORMAL: F::Magnitude = F::NORMAL;
    const NON_FINITE: F::Magnitude = F::NON_FINITE;
    const ZERO: F::Magnitude = F::ZERO;

    fn blocks(row: &[u8]) -> (&[F::Block], &[u8]) {
        F::blocks(row)
    }

    fn padded(bytes: &[u8]) -> F::Block {
        F::padded(bytes)
    }

    fn load<const HALF: usize>(block: &F::Block) -> Half<f64> {
        Half(F::load::<HALF>(block).0.map(f64::from))
    }

    fn magnitudes(block: &F::Block) -> [F::Magnitude; LANES] {
        F::magnitudes(block)
    }

    fn magnitude(bytes: &[u8]) -> F::Magnitude {
        F::magnitude(bytes)
    }

    fn none() -> F::Least {
        F::none()
    }

    fn least(least: F::Least, block: &F::Block) -> F::Least {
        F::least(least, block)
    }

    fn any_tiny(least: F::Least) -> bool {
        F::any_tiny(least)
    }
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
