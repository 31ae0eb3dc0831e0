//! One loop, compiled for several instruction sets, the best one chosen at run time.
//!
//! A kernel is written once, over an [`Arithmetic`]: with fused multiply-add where the processor has it, with a
//! multiplication and an addition elsewhere (there, a fused operation would be a slow library call).

use multiversion::multiversion;
use multiversion::target::match_target;

/// How `a·b + c` is computed.
pub trait Arithmetic: Copy {
    /// `a·b + c`.
    fn multiply_add(a: f64, b: f64, c: f64) -> f64;
}

/// `a·b + c` with one rounding.
#[derive(Clone, Copy)]
pub struct Fused;

/// `a·b + c` with two roundings.
#[derive(Clone, Copy)]
pub struct Plain;

impl Arithmetic for Fused {
    #[inline(always)]
    fn multiply_add(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }
}

impl Arithmetic for Plain {
    #[inline(always)]
    fn multiply_add(a: f64, b: f64, c: f64) -> f64 {
        a * b + c
    }
}

/// A loop that wants the widest vectors the processor has.
pub trait Kernel {
    /// Result of the loop.
    type Output;

    /// Run the loop; implementations are `#[inline(always)]`, so that the caller's instruction set is theirs.
    fn run<A: Arithmetic>(self) -> Self::Output;
}

/// Run `kernel` with the best instruction set that this processor has.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    match_target! {
        "x86_64+avx2+fma" => kernel.run::<Fused>(),
        "aarch64+neon" => kernel.run::<Fused>(),
        _ => kernel.run::<Plain>(),
    }
}
