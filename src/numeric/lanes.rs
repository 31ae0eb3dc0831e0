//! Sixteen numbers at a time, in two halves, with the same roundings on every processor.
//!
//! Sums run in sixteen lanes whatever the width of the machine's vectors, and no multiplication is fused with an
//! addition. So the loops may be compiled for any instruction set and give the same bits.

/// Numbers in a step.
pub const LANES: usize = 16;
/// Numbers of a half step.
pub const HALF_LANES: usize = LANES / 2;

/// The numbers that a kernel computes in.
pub trait Real: Copy + 'static {
    /// Below this, a sum of squares of one number may have lost digits to underflow.
    const SMALLEST_SQUARE: f64;

    /// A variance below this share of the squared mean is made of roundings.
    const RESOLUTION: f64;

    /// The nearest number of this type.
    fn narrow(value: f64) -> Self;

    /// Exactly the same number.
    fn wide(self) -> f64;

    /// a + b
    fn add(self, other: Self) -> Self;

    /// a − b
    fn sub(self, other: Self) -> Self;

    /// a · b
    fn mul(self, other: Self) -> Self;
}

impl Real for f32 {
    // 2⁻¹²⁶, the smallest normal number: sums above it have an absolute error of at most half of 2⁻¹⁴⁹ a term.
    const SMALLEST_SQUARE: f64 = f32::MIN_POSITIVE as f64;

    // 2⁻⁴⁰: a mean of 10⁶ standard deviations.
    const RESOLUTION: f64 = f64::from_bits((1_023 - 40) << 52);

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the nearest is what is asked for")]
    fn narrow(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self - other
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self * other
    }
}

impl Real for f64 {
    // There is nothing wider to fall back to.
    const SMALLEST_SQUARE: f64 = 0.0;

    // 2⁻¹⁰⁰: numbers of single precision that differ at all have more.
    const RESOLUTION: f64 = f64::from_bits((1_023 - 100) << 52);

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self - other
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self * other
    }
}

/// One number per lane.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Lanes<R>(pub [R; LANES]);

impl<R: Real> Lanes<R> {
    /// Zero in every lane.
    #[inline(always)]
    pub fn zero() -> Self {
        Self::splat(R::narrow(0.0))
    }

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(value: R) -> Self {
        Self([value; LANES])
    }

    /// a + b
    #[inline(always)]
    #[must_use]
    pub fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane].add(other.0[lane])))
    }

    /// a · b
    #[inline(always)]
    #[must_use]
    pub fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane].mul(other.0[lane])))
    }

    /// The sum over lanes, in double precision, as a tree.
    #[inline(always)]
    pub fn total(self) -> f64 {
        let half = std::array::from_fn(|lane| self.0[lane].wide() + self.0[lane + HALF_LANES].wide());
        Half(half).total()
    }
}

/// Half the lanes, while a loop computes with them: few enough that its sums stay in registers.
#[derive(Clone, Copy)]
pub struct Half<R>(pub [R; HALF_LANES]);

impl<R: Real> Half<R> {
    #[inline(always)]
    fn with(self, other: Self, f: impl Fn(R, R) -> R) -> Self {
        // Written out, because a loop over lanes would keep sums in memory.
        let (a, b) = (self.0, other.0);
        Self([
            f(a[0], b[0]),
            f(a[1], b[1]),
            f(a[2], b[2]),
            f(a[3], b[3]),
            f(a[4], b[4]),
            f(a[5], b[5]),
            f(a[6], b[6]),
            f(a[7], b[7]),
        ])
    }

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(value: R) -> Self {
        Self([value; HALF_LANES])
    }

    /// One half of lanes in memory.
    #[inline(always)]
    pub fn load<const HALF: usize>(lanes: &Lanes<R>) -> Self {
        Self(*lanes.0[HALF * HALF_LANES..].first_chunk().expect("sixteen lanes"))
    }

    /// One half of lanes to memory.
    #[inline(always)]
    pub fn store<const HALF: usize>(self, lanes: &mut Lanes<R>) {
        *lanes.0[HALF * HALF_LANES..].first_chunk_mut().expect("sixteen lanes") = self.0;
    }

    /// a + b
    #[inline(always)]
    #[must_use]
    pub fn add(self, other: Self) -> Self {
        self.with(other, R::add)
    }

    /// a − b
    #[inline(always)]
    #[must_use]
    pub fn sub(self, other: Self) -> Self {
        self.with(other, R::sub)
    }

    /// a · b
    #[inline(always)]
    #[must_use]
    pub fn mul(self, other: Self) -> Self {
        self.with(other, R::mul)
    }

    /// The sum over lanes, in double precision, as a tree.
    #[inline(always)]
    pub fn total(self) -> f64 {
        let four: [f64; 4] = std::array::from_fn(|lane| self.0[lane].wide() + self.0[lane + 4].wide());
        (four[0] + four[2]) + (four[1] + four[3])
    }
}
