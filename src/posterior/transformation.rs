//! The map of a [`Geometry`]: transformed positions to the model's, and gradients pulled back.

use super::geometry::Geometry;
use super::layout::Variable;
use super::prior::Scale;
use crate::simd::{Arithmetic, Kernel, dispatch, exp, log};

/// The map of a geometry, with room for the intermediate values of one position.
#[derive(Debug, Clone)]
pub(super) struct Transformation {
    geometry: Geometry,
    signed: Vec<bool>,
    /// Axes of each block, transposed: shape (other, axis).
    transposed: Vec<f64>,
    /// φ, and its derivative by the scale.
    features: Vec<f64>,
    derivatives: Vec<f64>,
    /// Length of every axis, the transformed coordinate times it, and the derivative by that product.
    length: Vec<f64>,
    along: Vec<f64>,
    by_axis: Vec<f64>,
    /// Values or derivatives of the other entries, block by block.
    gathered: Vec<f64>,
}

impl Transformation {
    pub fn new(geometry: &Geometry, variables: &[Variable]) -> Self {
        let (scales, others) = (geometry.scales.len(), geometry.others.len());
        let signed = |&entry: &usize| Geometry::scale(variables, entry) == Scale::Signed;
        let transposed = geometry.squares().flat_map(|(_, size, axes)| {
            (0..size * size).map(move |i| geometry.axes[axes + i % size * size + i / size])
        });
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

    /// Fill in the model's entries at a transformed position; the log-determinant of the Jacobian there, but for a constant.
    pub fn untransform(&mut self, transformed: &[f64], entries: &mut [f64]) -> f64 {
        dispatch(Untransform { transformation: self, transformed, entries })
    }

    /// Pull the gradient back from the model's entries to the transformed position of the last [`Self::untransform`]; that of
    /// the log-determinant is added.
    pub fn pull_back(&mut self, gradient: &mut [f64]) {
        dispatch(PullBack { transformation: self, gradient });
    }
}

struct Untransform<'a> {
    transformation: &'a mut Transformation,
    transformed: &'a [f64],
    entries: &'a mut [f64],
}

impl Kernel for Untransform<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> f64 {
        let Transformation { geometry, signed, features, derivatives, length, along, gathered, .. } =
            self.transformation;
        let count = geometry.others.len();
        for (m, &entry) in geometry.scales.iter().enumerate() {
            let (q, reference) = (self.transformed[entry], geometry.reference[m]);
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
        let log_determinant = length.iter().sum();
        for (coordinate, &entry) in along.iter_mut().zip(&geometry.others) {
            *coordinate = self.transformed[entry];
        }
        for i in 0..count {
            length[i] = exp::<A>(length[i]);
            along[i] *= length[i];
        }
        for (start, size, axes) in geometry.squares() {
            let (along, gathered) = (&along[start..start + size], &mut gathered[start..start + size]);
            add_rows::<A>(&geometry.axes[axes..axes + size * size], along, gathered);
        }
        let (common, beyond) = gathered.split_at_mut(geometry.common());
        add_rows::<A>(&geometry.coupling, &along[..common.len()], beyond);
        for (value, &entry) in gathered.iter().zip(&geometry.others) {
            self.entries[entry] = *value;
        }
        log_determinant
    }
}

struct PullBack<'a> {
    transformation: &'a mut Transformation,
    gradient: &'a mut [f64],
}

impl Kernel for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Transformation { geometry, transposed, derivatives, length, along, by_axis, gathered, .. } =
            self.transformation;
        let count = geometry.others.len();
        let (length, along, gathered) = (&mut length[..count], &mut along[..count], &mut gathered[..count]);
        for (slope, &entry) in gathered.iter_mut().zip(&geometry.others) {
            *slope = self.gradient[entry];
        }
        // By the axes, after `along` has served for the derivative by their exponents, that of the log-determinant, 1, included.
        let by_axis = &mut by_axis[..count];
        by_axis.fill(0.0);
        for (start, size, axes) in geometry.squares() {
            let (slopes, by_axis) = (&gathered[start..start + size], &mut by_axis[start..start + size]);
            add_rows::<A>(&transposed[axes..axes + size * size], slopes, by_axis);
        }
        let (common, beyond) = gathered.split_at(geometry.common());
        if !beyond.is_empty() {
            for (by, coupling) in
                by_axis[..common.len()].iter_mut().zip(geometry.coupling.chunks_exact(beyond.len()))
            {
                *by += dot::<A>(coupling, beyond);
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
            self.gradient[entry] += (dot::<A>(slope, gathered) + dot::<A>(exponent, along)) * derivative;
        }
    }
}

/// `target` += weightsᵀ · rows, row-major.
#[inline(always)]
fn add_rows<A: Arithmetic>(rows: &[f64], weights: &[f64], target: &mut [f64]) {
    if target.is_empty() {
        return;
    }
    for (weight, row) in weights.iter().zip(rows.chunks_exact(target.len())) {
        for (target, number) in target.iter_mut().zip(row) {
            *target = A::multiply_add(*number, *weight, *target);
        }
    }
}

/// The inner product, in four strands, as fast as it adds.
#[inline(always)]
fn dot<A: Arithmetic>(left: &[f64], right: &[f64]) -> f64 {
    let mut strands = [0.0; 4];
    for (i, (left, right)) in left.iter().zip(right).enumerate() {
        strands[i % 4] = A::multiply_add(*left, *right, strands[i % 4]);
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3])
}

#[cfg(test)]
mod tests {
    use super::super::layout::Per;
    use super::super::prior::Prior;
    use super::*;
    use crate::error::Error;

    /// Two scales, the second one signed, around three others.
    fn example() -> (Geometry, Vec<Variable>) {
        let variable = |name: &str, start, len, prior| Variable {
            name: name.to_owned(),
            start,
            len,
            per: if len == 1 { Per::Model } else { Per::Cell },
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
            blocks: vec![3],
            mean: vec![1.0, -2.0, 0.5],
            slope: vec![0.3, 0.0, -0.2, 0.1, 0.4, 0.0],
            axes: vec![0.5, 0.1, 0.0, -0.2, 0.8, 0.3, 0.0, 0.4, 1.5],
            coupling: vec![],
            exponent: vec![1.0, 0.6, 0.0, 0.2, -0.3, 0.7],
            starts: vec![0.0; 5],
        };
        (geometry, variables)
    }

    /// The same with a common block of one and a block of two.
    fn in_blocks() -> (Geometry, Vec<Variable>) {
        let (whole, variables) = example();
        let axes = vec![0.5, 0.8, 0.3, 0.4, 1.5];
        (Geometry { blocks: vec![1, 2], axes, coupling: vec![0.6, -0.2], ..whole }, variables)
    }

    const PLACES: [[f64; 5]; 3] =
        [[0.3, -1.2, 0.7, -1.0, 0.2], [2.0, 0.1, -0.4, 0.8, -0.9], [-0.5, 0.6, 1.1, -2.0, 0.05]];

    fn untransformed(transformation: &mut Transformation, transformed: &[f64]) -> (Vec<f64>, f64) {
        let mut entries = vec![0.0; 5];
        let log_determinant = transformation.untransform(transformed, &mut entries);
        (entries, log_determinant)
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
        let (entries, log_determinant) =
            untransformed(&mut Transformation::new(&geometry, &variables), &[2.0, 0.0, 0.0, 0.5, 0.4]);
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
        assert!((log_determinant - (1.6 + 0.6 * signed)).abs() < 1e-14);
    }

    #[test]
    fn blocks_follow_the_common_block() {
        let (geometry, variables) = in_blocks();
        let (entries, _) =
            untransformed(&mut Transformation::new(&geometry, &variables), &[2.0, 1.0, 0.0, 0.0, 0.0]);
        // φ = (0.5, ½ log 0.09 − 0.2); along the common axis 2 e^(φ₁ + 0.2 φ₂), along the block e^(0.6 φ₁ − 0.3 φ₂) and zero.
        let signed = 0.3_f64.ln() - 0.2;
        let (common, first) = (2.0 * (0.5 + 0.2 * signed).exp(), (0.3 - 0.3 * signed).exp());
        let expected = [
            1.15 + 0.1 * signed + 0.5 * common,
            -2.0 + 0.4 * signed + 0.6 * common + 0.8 * first,
            0.4 - 0.2 * common + 0.3 * first,
        ];
        for (found, expected) in entries.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }

    #[test]
    fn the_log_determinant_is_that_of_the_jacobian() {
        for (geometry, variables) in [example(), in_blocks()] {
            check_log_determinant(&geometry, &variables);
        }
    }

    fn check_log_determinant(geometry: &Geometry, variables: &[Variable]) {
        let mut transformation = Transformation::new(geometry, variables);
        let mut differences = PLACES.map(|place| {
            let h = 1e-5;
            let jacobian = (0..5).map(|i| {
                let mut at = |step: f64| {
                    let mut moved = place;
                    moved[i] += step;
                    untransformed(&mut transformation, &moved).0
                };
                let (after, before) = (at(h), at(-h));
                after.iter().zip(before).map(|(a, b)| (a - b) / (2.0 * h)).collect()
            });
            let determinant = log_determinant(jacobian.collect());
            determinant - untransformed(&mut transformation, &place).1
        });
        differences.sort_by(f64::total_cmp);
        assert!(differences[2] - differences[0] < 1e-8, "{differences:?}");
    }

    #[test]
    fn a_pulled_back_gradient_is_the_derivative_at_the_transformed_position() {
        for (geometry, variables) in [example(), in_blocks()] {
            check_derivatives(Transformation::new(&geometry, &variables));
        }
    }

    fn check_derivatives(mut transformation: Transformation) {
        // Any density: −½ Σ (x − i)².
        let value = |transformation: &mut Transformation, transformed: &[f64]| {
            let (entries, log_determinant) = untransformed(transformation, transformed);
            let slopes: Vec<f64> =
                entries.iter().zip([0.0, 1.0, 2.0, 3.0, 4.0]).map(|(x, i)| i - x).collect();
            (log_determinant - 0.5 * slopes.iter().map(|d| d * d).sum::<f64>(), slopes)
        };
        for place in PLACES {
            let (_, mut gradient) = value(&mut transformation, &place);
            transformation.pull_back(&mut gradient);
            for i in 0..5 {
                let at = |step: f64| {
                    let mut moved = place;
                    moved[i] += step;
                    value(&mut transformation.clone(), &moved).0
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
        assert!(refused(|geometry| geometry.blocks[0] = 4));
        assert!(refused(|geometry| geometry.coupling.push(0.0)));
        assert!(refused(|geometry| geometry.others[0] = 1));
        assert!(refused(|geometry| geometry.starts.push(0.0)));
        assert!(refused(|geometry| geometry.centre.clear()));
        // A scale has to be positive.
        assert!(refused(|geometry| std::mem::swap(&mut geometry.scales[0], &mut geometry.others[0])));
    }
}
