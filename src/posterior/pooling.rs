//! A parameter that differs between groups, and what its population is.

use super::prior::HALF_LOG_TAU;

/// Value of group g: `mean + trend·z_g + spread·offset_g`, or `mean·exp(spread·offset_g)` for positive parameters.
///
/// Groups are sampled non-centred, by their offsets, or where the runs of each group pin the value down, centred, by the
/// value itself.
#[derive(Debug, Clone)]
pub(super) struct Pooled {
    /// Slot of the mean.
    pub mean: usize,
    /// Slot that is subtracted from every value: B_noise is B_crit less the log of their ratio.
    pub minus: Option<usize>,
    /// Where there are several groups.
    pub population: Option<Population>,
}

#[derive(Debug, Clone)]
pub(super) struct Population {
    /// Slot of the spread.
    pub spread: usize,
    /// First slot of the groups: of their values where `centred`, else of their offsets.
    pub group: usize,
    pub centred: bool,
    /// First slot of the trends.
    pub trend: Option<usize>,
    pub additive: bool,
}

/// Covariates of one group.
fn row(covariates: &[f64], groups: usize, group: usize) -> &[f64] {
    let width = covariates.len() / groups;
    &covariates[group * width..(group + 1) * width]
}

impl Population {
    fn trend(&self, values: &[f64], z: &[f64]) -> f64 {
        self.trend.map_or(0.0, |slot| z.iter().zip(&values[slot..]).map(|(z, slope)| z * slope).sum())
    }
}

impl Pooled {
    /// The value in every group.
    pub fn forward(&self, values: &[f64], covariates: &[f64], out: &mut [f64]) {
        let (mean, minus) = (values[self.mean], self.minus.map_or(0.0, |slot| values[slot]));
        let groups = out.len();
        for (g, value) in out.iter_mut().enumerate() {
            *value = match &self.population {
                None => mean,
                Some(population) if population.centred => values[population.group + g],
                Some(population) => {
                    let away = values[population.spread] * values[population.group + g];
                    let z = row(covariates, groups, g);
                    if population.additive {
                        mean + away + population.trend(values, z)
                    } else {
                        mean * away.exp()
                    }
                }
            } - minus;
        }
    }

    /// Log density of the groups' values where these are sampled: normal around what the population expects.
    pub fn density(&self, values: &[f64], covariates: &[f64], groups: usize, adjoint: &mut [f64]) -> f64 {
        let Some(population) = self.population.as_ref().filter(|population| population.centred) else {
            return 0.0;
        };
        let spread = values[population.spread];
        let (log_spread, mut total) = (spread.ln(), 0.0);
        for g in 0..groups {
            let z = row(covariates, groups, g);
            let t = (values[population.group + g] - values[self.mean] - population.trend(values, z)) / spread;
            total -= 0.5 * t * t + log_spread + HALF_LOG_TAU;
            adjoint[population.group + g] -= t / spread;
            adjoint[self.mean] += t / spread;
            adjoint[population.spread] += (t * t - 1.0) / spread;
            if let Some(slot) = population.trend {
                for (slope, z) in adjoint[slot..].iter_mut().zip(z) {
                    *slope += z * t / spread;
                }
            }
        }
        total
    }

    /// Carry derivatives with respect to the groups' values back to the slots.
    pub fn backward(
        &self,
        values: &[f64],
        covariates: &[f64],
        of_groups: &[f64],
        by_group: &[f64],
        adjoint: &mut [f64],
    ) {
        if let Some(slot) = self.minus {
            adjoint[slot] -= by_group.iter().sum::<f64>();
        }
        for (g, &by) in by_group.iter().enumerate() {
            match &self.population {
                None => adjoint[self.mean] += by,
                Some(population) if population.centred => adjoint[population.group + g] += by,
                Some(population) => {
                    let by_away = if population.additive { by } else { by * of_groups[g] };
                    adjoint[self.mean] += if population.additive { by } else { by_away / values[self.mean] };
                    adjoint[population.spread] += by_away * values[population.group + g];
                    adjoint[population.group + g] += by_away * values[population.spread];
                    if let Some(slot) = population.trend {
                        for (slope, z) in adjoint[slot..].iter_mut().zip(row(covariates, by_group.len(), g)) {
                            *slope += by * z;
                        }
                    }
                }
            }
        }
    }
}
