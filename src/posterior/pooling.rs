//! A parameter that differs between groups, and what its population is.

/// Value of group g: `mean + trend·z_g + spread·offset_g`, or `mean·exp(spread·offset_g)` for positive parameters.
#[derive(Debug, Clone)]
pub(super) struct Pooled {
    /// Slot of the mean.
    pub mean: usize,
    /// Slot that is subtracted from it: B_noise is B_crit less the log of their ratio.
    pub minus: Option<usize>,
    /// Of several groups, slots of the spread, of the first offset and of the first trend.
    pub population: Option<Population>,
}

#[derive(Debug, Clone)]
pub(super) struct Population {
    pub spread: usize,
    pub offset: usize,
    pub trend: Option<usize>,
    pub additive: bool,
}

impl Pooled {
    /// The value in every group.
    pub fn forward(&self, values: &[f64], covariates: &[f64], out: &mut [f64]) {
        let mean = values[self.mean] - self.minus.map_or(0.0, |slot| values[slot]);
        let Some(Population { spread, offset, trend, additive }) = self.population else {
            out.fill(mean);
            return;
        };
        let width = covariates.len() / out.len();
        for (g, value) in out.iter_mut().enumerate() {
            let away = values[spread] * values[offset + g];
            *value = if additive { mean + away } else { mean * away.exp() };
            if let Some(trend) = trend {
                let z = &covariates[g * width..(g + 1) * width];
                *value += z.iter().enumerate().map(|(c, z)| z * values[trend + c]).sum::<f64>();
            }
        }
    }

    /// Carry derivatives with respect to the groups' values back to the slots.
    pub fn backward(
        &self,
        values: &[f64],
        covariates: &[f64],
        groups: &[f64],
        by_group: &[f64],
        adjoint: &mut [f64],
    ) {
        let mut by_mean = 0.0;
        if let Some(Population { spread, offset, trend, additive }) = self.population {
            let width = covariates.len() / groups.len();
            for (g, &by) in by_group.iter().enumerate() {
                let by_away = if additive { by } else { by * groups[g] };
                by_mean += if additive { by } else { by * groups[g] / values[self.mean] };
                adjoint[spread] += by_away * values[offset + g];
                adjoint[offset + g] += by_away * values[spread];
                if let Some(trend) = trend {
                    for (c, z) in covariates[g * width..(g + 1) * width].iter().enumerate() {
                        adjoint[trend + c] += by * z;
                    }
                }
            }
        } else {
            by_mean = by_group.iter().sum();
        }
        adjoint[self.mean] += by_mean;
        if let Some(slot) = self.minus {
            adjoint[slot] -= by_mean;
        }
    }
}
