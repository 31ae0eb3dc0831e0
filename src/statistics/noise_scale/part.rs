//! |G|² and tr(Σ) of one tensor, with all rows and with one row or group deleted.

use crate::error::{Error, require};

/// The sums of one tensor.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Which row of the dump each entry of the lists below is; a row occurs once.
    pub rows: &'a [usize],
    /// Examples b behind each row; one each by default.
    pub weights: Option<&'a [f64]>,
    /// s = |g|² of each row.
    pub norms: &'a [f64],
    /// d = g·ḡ of each row.
    pub projections: &'a [f64],
    /// m = |ḡ|².
    pub mean_norm_squared: f64,
    /// The group of each row, and |Σ b g|² of each group.
    pub groups: Option<(&'a [u32], &'a [f64])>,
}

/// Estimates that add up over tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Terms {
    /// |G|²
    pub gradient: f64,
    /// tr(Σ)
    pub trace: f64,
}

/// Rows with their sums, which losing some of them changes.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// N
    rows: f64,
    /// B = Σ b
    examples: f64,
    /// Σ b s
    norms: f64,
    /// |Σ b g|² = B² m
    total: f64,
    /// Σ q over groups
    within: f64,
    /// Σ B_g² over groups
    squares: f64,
}

impl Sums {
    fn ungrouped(&self) -> Terms {
        let mean = self.total / (self.examples * self.examples);
        let trace = (self.norms - self.examples * mean) / (self.rows - 1.0);
        Terms { gradient: mean - trace / self.examples, trace }
    }

    fn grouped(&self) -> Terms {
        let gradient = (self.total - self.within) / (self.examples * self.examples - self.squares);
        Terms { gradient, trace: (self.norms - self.examples * gradient) / self.rows }
    }
}

impl Part<'_> {
    /// b of an entry.
    pub(super) fn weight(&self, index: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[index])
    }

    /// Refuse lists that do not belong together; `part` says where.
    pub(super) fn check(&self, part: usize) -> Result<(), Error> {
        let shape = |expected: String, found: String| {
            Err(Error::Shape { argument: "parts", expected, found: format!("{found} in part {part}") })
        };
        let lengths = [
            ("norms", self.norms.len()),
            ("projections", self.projections.len()),
            ("weights", self.weights.map_or(self.rows.len(), <[f64]>::len)),
            ("groups", self.groups.map_or(self.rows.len(), |(groups, _)| groups.len())),
        ];
        if let Some((name, found)) = lengths.into_iter().find(|&(_, length)| length != self.rows.len()) {
            return shape(format!("{} {name}, one per row", self.rows.len()), found.to_string());
        }
        require("norms", "finite", self.norms, f64::is_finite)?;
        require("projections", "finite", self.projections, f64::is_finite)?;
        require("mean_norm_squared", "finite", &[self.mean_norm_squared], f64::is_finite)?;
        if let Some(weights) = self.weights {
            require("weights", "positive and finite", weights, |weight| weight > 0.0 && weight.is_finite())?;
        }
        let units = match self.groups {
            None => self.rows.len(),
            Some((groups, norms)) => {
                require("group norms", "finite", norms, f64::is_finite)?;
                let most = groups.iter().max().map_or(0, |&group| group as usize + 1);
                if norms.len() < most {
                    return shape(format!("norms of {most} groups"), norms.len().to_string());
                }
                let mut present = vec![false; most];
                for &group in groups {
                    present[group as usize] = true;
                }
                present.into_iter().filter(|&present| present).count()
            }
        };
        if units < 3 {
            return shape("three rows or groups, or more".to_owned(), units.to_string());
        }
        Ok(())
    }

    /// The estimates, and for each row or group those without it.
    fn terms(&self) -> (Terms, Vec<(usize, Terms)>) {
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let mut sums = Sums { rows: self.rows.len() as f64, ..Sums::default() };
        for (index, norm) in self.norms.iter().enumerate() {
            sums.examples += self.weight(index);
            sums.norms += self.weight(index) * norm;
        }
        sums.total = sums.examples * sums.examples * self.mean_norm_squared;
        let Some((groups, group_norms)) = self.groups else {
            let without = self.rows.iter().enumerate().map(|(index, &row)| {
                let (weight, norm) = (self.weight(index), self.norms[index]);
                // |Bḡ − b g|² = B² m − 2 B b d + b² s
                let crossed = 2.0 * sums.examples * weight * self.projections[index];
                let left = Sums {
                    rows: sums.rows - 1.0,
                    examples: sums.examples - weight,
                    norms: sums.norms - weight * norm,
                    total: sums.total - crossed + weight * weight * norm,
                    ..sums
                };
                (row, left.ungrouped())
            });
            return (sums.ungrouped(), without.collect());
        };
        let mut of_groups = vec![Sums::default(); group_norms.len()];
        for (index, &group) in groups.iter().enumerate() {
            let (weight, of_group) = (self.weight(index), &mut of_groups[group as usize]);
            of_group.rows += 1.0;
            of_group.examples += weight;
            of_group.norms += weight * self.norms[index];
            // B b d, to be subtracted twice.
            of_group.total += sums.examples * weight * self.projections[index];
        }
        let present =
            || of_groups.iter().zip(group_norms).enumerate().filter(|(_, (group, _))| group.rows > 0.0);
        for (_, (group, norm)) in present() {
            sums.within += norm;
            sums.squares += group.examples * group.examples;
        }
        let without = present().map(|(index, (group, norm))| {
            // |Bḡ − S|² = B² m − 2 B Σ b d + q over the rows of the group, S their weighted sum
            let left = Sums {
                rows: sums.rows - group.rows,
                examples: sums.examples - group.examples,
                norms: sums.norms - group.norms,
                total: sums.total - 2.0 * group.total + norm,
                within: sums.within - norm,
                squares: sums.squares - group.examples * group.examples,
            };
            (index, left.grouped())
        });
        (sums.grouped(), without.collect())
    }
}

/// Sums over tensors of the estimates, and of what deleting a unit changes.
#[derive(Default)]
pub struct Replicates {
    /// With all units.
    pub total: Terms,
    /// By unit: the change, or `None` for a number that is no unit.
    changes: Vec<Option<Terms>>,
}

impl Replicates {
    /// Add a tensor, its terms passed through an affine `map`.
    pub fn add(&mut self, part: &Part<'_>, map: impl Fn(Terms) -> Terms) {
        let (full, without) = part.terms();
        let full = map(full);
        self.total.gradient += full.gradient;
        self.total.trace += full.trace;
        for (unit, left) in without {
            if self.changes.len() <= unit {
                self.changes.resize(unit + 1, None);
            }
            let left = map(left);
            let change = self.changes[unit].get_or_insert_default();
            change.gradient += left.gradient - full.gradient;
            change.trace += left.trace - full.trace;
        }
    }

    /// The estimates without each unit.
    pub fn replicates(&self) -> Vec<Terms> {
        let with = |change: &Terms| Terms {
            gradient: self.total.gradient + change.gradient,
            trace: self.total.trace + change.trace,
        };
        self.changes.iter().flatten().map(with).collect()
    }
}
