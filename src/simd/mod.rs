//! Loops for the widest vectors that the processor has, the functions they call, and stores past its caches.

mod arithmetic;
mod math;
pub mod stream;

pub use arithmetic::{Arithmetic, Kernel, Plain, dispatch};
pub use math::{Softened, exp, log, log_cosh, logistic, softplus};
