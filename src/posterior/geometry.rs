//! Coordinates in which a posterior is nearer to a normal one: what a chain walks in.
//!
//! The noise of the losses is the scale of all that they tell: where it is half as large, optima, floors and curvatures
//! are known twice as well. A sampler whose steps have one size fits into the narrow end of such a funnel or gets along
//! in the wide one, and its energy, which follows the volume, changes little from draw to draw. So everything but the
//! scales is walked in standard units, whose length follows the scales as earlier draws have shown.

use super::layout::Variable;
use super::prior::Scale;
use crate::error::Error;
use crate::law::{Arithmetic, Kernel, dispatch, exp, log};

/// How the model's entries follow from the coordinates of a walk.
///
/// A scale is a coordinate itself. With φ its logarithm or, where it is signed, `½ log(r² + scale²)` with r its
/// `reference`, less the typical value of that, its `centre`, and y the other coordinates,
///
/// `others = mean + slopeᵀ φ + axesᵀ (exp(exponentᵀ φ) ∘ y)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Entries that are scales.
    pub scales: Vec<usize>,
    /// Of each scale.
    pub reference: Vec<f64>,
    /// Of each scale.
    pub centre: Vec<f64>,
    /// All other entries.
    pub others: Vec<usize>,
    /// Of the others.
    pub mean: Vec<f64>,
    /// Shape (scale, other).
    pub slope: Vec<f64>,
    /// Shape (axis, other), of as many axes as others.
    pub axes: Vec<f64>,
    /// Shape (scale, axis).
    pub exponent: Vec<f64>,
    /// Where each chain starts, in coordinates of the walk; shape (chain, entry).
    pub starts: Vec<f64>,
}

impl Geometry {
    /// Check that it is one of a model with these variables, for so many chains.
    pub(super) fn check(&self, variables: &[Variable], size: usize, chains: usize) -> Result<(), Error> {
        let (scales, others) = (self.scales.len(), self.others.len());
        let mut entries: Vec<usize> = self.scales.iter().chain(&self.others).copied().collect();
        entries.sort_unstable();
        let positive = self.scales.iter().all(|&entry| Self::scale(variables, entry) != Scale::Plain);
        let lengths = [
            (self.reference.len(), scales),
            (self.centre.len(), scales),
            (self.mean.len(), others),
            (self.slope.len(), scales * others),
            (self.axes.len(), others * others),
            (self.exponent.len(), scales * others),
            (self.starts.len(), chains * size),
        ];
        let fits = lengths.iter().all(|(found, expected)| found == expected);
        if fits && positive && entries.iter().copied().eq(0..size) {
            return Ok(());
        }
        Err(Error::Sampler { problem: "the geometry is not one of the model and its chains".to_owned() })
    }

    fn scale(variables: &[Variable], entry: usize) -> Scale {
        let holds = |v: &&Variable| (v.start..v.start + v.len).contains(&entry);
        variables.iter().find(holds).map_or(Scale::Plain, Variable::scale)
    }
}

/// A geometry at work: with room for the intermediate values of one place.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    geometry: Geometry,
    signed: Vec<bool>,
    /// Shape (other, axis).
    transposed: Vec<f64>,
    /// φ, and its derivative by the scale.
    features: Vec<f64>,
    derivatives: Vec<f64>,
    /// Of every axis.
    length: Vec<f64>,
    along: Vec<f64>,
    by_axis: Vec<f64>,
    /// Of every other entry.
    gathered: Vec<f64>,
}

impl Chart {
    pub fn new(geometry: &Geometry, variables: &[Variable]) -> Self {
        let (scales, others) = (geometry.scales.len(), geometry.others.len());
        let signed = |&entry: &usize| Geometry::scale(variables, entry) == Scale::Signed;
        let transposed = (0..others * others).map(|i| geometry.axes[i % others * others + i / others]);
        Self {
            signed: geometry.scales.iter().map(signed).collect(),
            transposed: transposed.collect(),
            geometry: geometry.clone(),
            features: vec![0.0; scales],
            derivatives: vec![0.0; scales],
            length: vec![0.0; others],
            along: vec![0.0; others],
            by_axis: vec![0.0; others],
            gathered: vec![0.0; others],
        }
    }

    /// Fill in the model's entries; the log of the volume there, in that of the walk, but for a constant.
    pub fn open(&mut self, walk: &[f64], entries: &mut [f64]) -> f64 {
        dispatch(Opening { chart: self, walk, entries })
    }

    /// Turn derivatives by the model's entries, at the place that was opened last, into those by the coordinates of the
    /// walk, that of the volume included.
    pub fn close(&mut self, gradient: &mut [f64]) {
        dispatch(Closing { chart: self, gradient });
    }
}

struct Opening<'a> {
    chart: &'a mut Chart,
    walk: &'a [f64],
    entries: &'a mut [f64],
}

impl Kernel for Opening<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> f64 {
        let Chart { geometry, signed, features, derivatives, length, along, gathered, .. } = self.chart;
        let count = geometry.others.len();
        for (m, &entry) in geometry.scales.iter().enumerate() {
            let (q, reference) = (self.walk[entry], geometry.reference[m]);
            self.entries[entry] = q;
            let square = A::multiply_add(q, q, reference * reference);
            let (feature, derivative) =
                if signed[m] { (0.5 * log::<A>(square), q / square) } else { (q, 1.0) };
            features[m] = feature - geometry.centre[m];
            derivatives[m] = derivative;
        }
        let (length, along, gathered) = (&mut length[..count], &mut along[..count], &mut gathered[..count]);
        gathered.copy_from_slice(&geometry.mean);
        length.fill(0.0);
        let rows = geometry.slope.chunks_exact(count).zip(geometry.exponent.chunks_exact(count));
        for (feature, (slope, exponent)) in features.iter().zip(rows) {
            for i in 0..count {
                gathered[i] = A::multiply_add(slope[i], *feature, gathered[i]);
                length[i] = A::multiply_add(exponent[i], *feature, length[i]);
            }
        }
        let volume = length.iter().sum();
        for (coordinate, &entry) in along.iter_mut().zip(&geometry.others) {
            *coordinate = self.walk[entry];
        }
        for i in 0..count {
            length[i] = exp::<A>(length[i]);
            along[i] *= length[i];
        }
        for (coordinate, axis) in along.iter().zip(geometry.axes.chunks_exact(count)) {
            for i in 0..count {
                gathered[i] = A::multiply_add(axis[i], *coordinate, gathered[i]);
            }
        }
        for (value, &entry) in gathered.iter().zip(&geometry.others) {
            self.entries[entry] = *value;
        }
        volume
    }
}

struct Closing<'a> {
    chart: &'a mut Chart,
    gradient: &'a mut [f64],
}

impl Kernel for Closing<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Chart { geometry, transposed, derivatives, length, along, by_axis, gathered, .. } = self.chart;
        let count = geometry.others.len();
        let (length, along, gathered) = (&mut length[..count], &mut along[..count], &mut gathered[..count]);
        for (slope, &entry) in gathered.iter_mut().zip(&geometry.others) {
            *slope = self.gradient[entry];
        }
        // By the axes, after `along` has served for the derivative by their exponents, d(volume) = 1 included.
        let by_axis = &mut by_axis[..count];
        by_axis.fill(0.0);
        for (slope, axes) in gathered.iter().zip(transposed.chunks_exact(count)) {
            for i in 0..count {
                by_axis[i] = A::multiply_add(axes[i], *slope, by_axis[i]);
            }
        }
        for i in 0..count {
            along[i] = A::multiply_add(by_axis[i], along[i], 1.0);
            by_axis[i] *= length[i];
        }
        for (slope, &entry) in by_axis.iter().zip(&geometry.others) {
            self.gradient[entry] = *slope;
        }
        let rows = geometry.slope.chunks_exact(count).zip(geometry.exponent.chunks_exact(count));
        let scales = geometry.scales.iter().zip(&*derivatives);
        for ((slope, exponent), (&entry, derivative)) in rows.zip(scales) {
            let mut strands = [0.0; 4];
            for i in 0..count {
                let term = A::multiply_add(slope[i], gathered[i], exponent[i] * along[i]);
                strands[i % 4] += term;
            }
            let by_feature = (strands[0] + strands[1]) + (strands[2] + strands[3]);
            self.gradient[entry] += by_feature * derivative;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::prior::Prior;
    use super::*;

    /// Two scales, the second one signed, around three others.
    fn example() -> (Geometry, Vec<Variable>) {
        let variable = |name: &str, start, len, prior| Variable {
            name: name.to_owned(),
            start,
            len,
            scalar: len == 1,
            prior: Some(prior),
        };
        let variables = vec![
            variable("others", 0, 3, Prior::Normal { mean: 0.0, sd: 1.0 }),
            variable("noise", 3, 1, Prior::LogNormal { log_median: 0.0, log_sd: 1.0 }),
            variable("error", 4, 1, Prior::HalfNormal { sd: 1.0 }),
        ];
        let geometry = Geometry {
            scales: vec![3, 4],
            reference: vec![1.0, 0.3],
            centre: vec![-0.5, 0.2],
            others: vec![0, 1, 2],
            mean: vec![1.0, -2.0, 0.5],
            slope: vec![0.3, 0.0, -0.2, 0.1, 0.4, 0.0],
            axes: vec![0.5, 0.1, 0.0, -0.2, 0.8, 0.3, 0.0, 0.4, 1.5],
            exponent: vec![1.0, 0.6, 0.0, 0.2, -0.3, 0.7],
            starts: vec![0.0; 5],
        };
        (geometry, variables)
    }

    const PLACES: [[f64; 5]; 3] =
        [[0.3, -1.2, 0.7, -1.0, 0.2], [2.0, 0.1, -0.4, 0.8, -0.9], [-0.5, 0.6, 1.1, -2.0, 0.05]];

    fn opened(chart: &mut Chart, walk: &[f64]) -> (Vec<f64>, f64) {
        let mut entries = vec![0.0; 5];
        let volume = chart.open(walk, &mut entries);
        (entries, volume)
    }

    /// log |det| by elimination with pivots.
    fn log_determinant(mut rows: Vec<Vec<f64>>) -> f64 {
        let mut total = 0.0;
        while let Some(width) = rows.first().map(Vec::len) {
            rows.sort_by(|a, b| b[0].abs().total_cmp(&a[0].abs()));
            let pivot = rows.remove(0);
            total += pivot[0].abs().ln();
            for row in &mut rows {
                let share = row[0] / pivot[0];
                *row = (1..width).map(|i| row[i] - share * pivot[i]).collect();
            }
        }
        total
    }

    #[test]
    fn entries_are_those_of_the_formula() {
        let (geometry, variables) = example();
        let (entries, volume) = opened(&mut Chart::new(&geometry, &variables), &[2.0, 0.0, 0.0, 0.5, 0.4]);
        // φ = (0.5 + 0.5, ½ log(0.09 + 0.16) − 0.2) = (1, log ½ − 0.2).
        let signed = 0.5_f64.ln() - 0.2;
        let length = 2.0 * (1.0 + 0.2 * signed).exp();
        let expected = [
            1.0 + 0.3 + 0.1 * signed + 0.5 * length,
            -2.0 + 0.4 * signed + 0.1 * length,
            0.5 - 0.2,
            0.5,
            0.4,
        ];
        for (found, expected) in entries.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
        assert!((volume - (1.6 + 0.6 * signed)).abs() < 1e-14);
    }

    #[test]
    fn the_volume_is_that_of_the_map() {
        let (geometry, variables) = example();
        let mut chart = Chart::new(&geometry, &variables);
        let mut differences = PLACES.map(|place| {
            let h = 1e-5;
            let jacobian = (0..5).map(|i| {
                let mut at = |step: f64| {
                    let mut moved = place;
                    moved[i] += step;
                    opened(&mut chart, &moved).0
                };
                let (after, before) = (at(h), at(-h));
                after.iter().zip(before).map(|(a, b)| (a - b) / (2.0 * h)).collect()
            });
            let determinant = log_determinant(jacobian.collect());
            determinant - opened(&mut chart, &place).1
        });
        differences.sort_by(f64::total_cmp);
        assert!(differences[2] - differences[0] < 1e-8, "{differences:?}");
    }

    #[test]
    fn derivatives_are_those_along_the_walk() {
        let (geometry, variables) = example();
        let mut chart = Chart::new(&geometry, &variables);
        // Any density: −½ Σ (x − i)².
        let value = |chart: &mut Chart, walk: &[f64]| {
            let (entries, volume) = opened(chart, walk);
            let slopes: Vec<f64> =
                entries.iter().zip([0.0, 1.0, 2.0, 3.0, 4.0]).map(|(x, i)| i - x).collect();
            (volume - 0.5 * slopes.iter().map(|d| d * d).sum::<f64>(), slopes)
        };
        for place in PLACES {
            let (_, mut gradient) = value(&mut chart, &place);
            chart.close(&mut gradient);
            for i in 0..5 {
                let at = |step: f64| {
                    let mut moved = place;
                    moved[i] += step;
                    value(&mut chart.clone(), &moved).0
                };
                let h = 1e-4;
                let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                assert!((numeric - gradient[i]).abs() < 1e-8 * (1.0 + gradient[i].abs()), "{i}: {numeric}");
            }
        }
    }

    #[test]
    fn what_is_not_of_the_model_is_refused() {
        let (geometry, variables) = example();
        assert_eq!(geometry.check(&variables, 5, 1), Ok(()));
        let refused = |change: fn(&mut Geometry)| {
            let (mut geometry, variables) = example();
            change(&mut geometry);
            matches!(geometry.check(&variables, 5, 1), Err(Error::Sampler { .. }))
        };
        assert!(refused(|geometry| geometry.axes.truncate(8)));
        assert!(refused(|geometry| geometry.others[0] = 1));
        assert!(refused(|geometry| geometry.starts.push(0.0)));
        assert!(refused(|geometry| geometry.centre.clear()));
        // A scale has to be positive.
        assert!(refused(|geometry| std::mem::swap(&mut geometry.scales[0], &mut geometry.others[0])));
    }
}
