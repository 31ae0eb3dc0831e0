//! Writing a table larger than the caches: past them.
//!
//! An ordinary store first reads the line it writes to. A table that nobody reads soon need not pay for that.

/// Tables of at least this many numbers (8 MiB) are written past the caches.
pub const STREAMED: usize = 1 << 20;

/// Copy `source`, which is in the cache, to `target`, which should not be.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
pub fn copy(source: &[f64], target: &mut [f64]) {
    use std::arch::x86_64::{_mm_loadu_pd, _mm_stream_pd};

    assert_eq!(source.len(), target.len());
    let head = usize::from(!target.as_ptr().cast::<u8>().addr().is_multiple_of(16)).min(target.len());
    target[..head].copy_from_slice(&source[..head]);
    let (pairs, last) = source[head..].as_chunks::<2>();
    let (slots, rest) = target[head..].as_chunks_mut::<2>();
    for (pair, slot) in pairs.iter().zip(slots) {
        // SAFETY: `pair` and `slot` are two numbers each, `slot` is aligned to 16 bytes because it follows `head`,
        // and every x86_64 processor has SSE2.
        unsafe { _mm_stream_pd(slot.as_mut_ptr(), _mm_loadu_pd(pair.as_ptr())) };
    }
    rest.copy_from_slice(last);
}

/// Copy `source` to `target`.
#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
pub fn copy(source: &[f64], target: &mut [f64]) {
    target.copy_from_slice(source);
}

/// Make what this thread copied visible to the others.
#[inline]
pub fn finish() {
    // SAFETY: every x86_64 processor has SSE.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_alignment_and_length_is_copied() {
        let source: Vec<f64> = (0..40).map(f64::from).collect();
        for start in 0..4 {
            for length in 0..20 {
                let mut target = vec![-1.0; 40];
                super::copy(&source[3..3 + length], &mut target[start..start + length]);
                super::finish();
                assert_eq!(target[start..start + length], source[3..3 + length]);
                assert!(target[start + length..].iter().chain(&target[..start]).all(|&value| value == -1.0));
            }
        }
    }
}
