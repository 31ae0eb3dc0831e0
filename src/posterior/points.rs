//! Published optima: the law seen with noise.

use super::observed::Runs;
use super::state::State;
use super::student;

#[derive(Debug, Clone)]
pub(super) struct Points {
    /// First slot of the cells' optima.
    pub optimum: usize,
    /// Slot of the noise.
    pub noise: usize,
}

impl Points {
    pub fn add(&self, seen: &Runs, state: &mut State) -> f64 {
        let noise = state.values[self.noise];
        let mut total = 0.0;
        for i in 0..seen.len() {
            let slot = self.optimum + seen.cell[i];
            let sd = noise.hypot(seen.se[i]);
            let (value, by_residual, by_sd) = student::log_density(seen.value[i] - state.values[slot], sd);
            total += value;
            state.adjoint[slot] -= by_residual;
            state.adjoint[self.noise] += by_sd * noise / sd;
        }
        total
    }
}
