//! One unit of work: the tiles of some columns of one tensor, summed in order.

use std::ops::Range;

use super::plan::Plan;
use super::sums::Sums;
use super::tile::{Tile, TooNarrow};
use crate::dump::Dtype;
use crate::numeric::{Bf16, F8E4M3, F8E5M2, F16, F32, F64, Format, LANES, Real, Rows};
use crate::simd::{Arithmetic, Kernel, Plain, dispatch};

/// Results per parameter, in the order of the parameters.
#[derive(Debug, Default)]
pub struct PerParameter {
    /// Means.
    pub mean: Vec<f32>,
    /// Unbiased variances.
    pub variance: Vec<f32>,
    /// Third central moments.
    pub third: Vec<f32>,
    /// Fourth central moments.
    pub fourth: Vec<f32>,
}

/// Sums of a unit, its rows in the order of the plan.
#[derive(Debug, Default)]
pub struct Partial {
    /// The sums.
    pub sums: Sums,
    /// Positions of rows that are not finite.
    pub non_finite: Vec<usize>,
    /// Filled where a sink asks for them.
    pub parameters: Option<PerParameter>,
}

/// Sum some columns of a tensor, with the best instruction set of this processor.
pub fn unit(plan: &Plan, rows: &Rows<'_>, columns: Range<usize>, parameters: bool) -> Partial {
    match rows.dtype() {
        Dtype::F8E4M3 => run::<F8E4M3>(plan, rows, columns, parameters),
        Dtype::F8E5M2 => run::<F8E5M2>(plan, rows, columns, parameters),
        Dtype::F16 => run::<F16>(plan, rows, columns, parameters),
        Dtype::Bf16 => run::<Bf16>(plan, rows, columns, parameters),
        Dtype::F32 => run::<F32>(plan, rows, columns, parameters),
        Dtype::F64 => run::<F64>(plan, rows, columns, parameters),
    }
}

fn run<F: Format>(plan: &Plan, rows: &Rows<'_>, columns: Range<usize>, parameters: bool) -> Partial {
    let mut partial = Partial {
        sums: Sums::new(columns.len(), plan.order.len(), plan.groups, plan.shape),
        non_finite: Vec::new(),
        parameters: parameters.then(PerParameter::default),
    };
    let mut tile = Tile::<F>::new(plan, rows.rows());
    for start in columns.clone().step_by(plan.tile_columns) {
        let columns = start..columns.end.min(start + plan.tile_columns);
        if pass(&mut tile, columns.clone(), &mut partial).is_err() {
            let mut tile = Tile::<F::Wide>::new(plan, rows.rows());
            // Double precision refuses nothing, and such tiles are too rare to be compiled for every instruction set.
            let pass = Pass::<F::Wide, true> { tile: &mut tile, columns, partial: &mut partial };
            let _: Result<(), TooNarrow> = pass.run::<Plain>();
        }
    }
    partial
}

fn pass<F: Format>(
    tile: &mut Tile<'_, F>,
    columns: Range<usize>,
    partial: &mut Partial,
) -> Result<(), TooNarrow> {
    if tile.plan.weights.is_some() {
        dispatch(Pass::<F, true> { tile, columns, partial })
    } else {
        dispatch(Pass::<F, false> { tile, columns, partial })
    }
}

/// The passes over one tile, as a loop to be compiled for several instruction sets.
struct Pass<'t, 'a, F: Format, const WEIGHTED: bool> {
    tile: &'t mut Tile<'a, F>,
    columns: Range<usize>,
    partial: &'t mut Partial,
}

impl<F: Format, const WEIGHTED: bool> Kernel for Pass<'_, '_, F, WEIGHTED> {
    type Output = Result<(), TooNarrow>;

    // Fused or not: lanes round the same everywhere, so the choice of arithmetic is not used.
    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Self::Output {
        let columns = self.columns.len();
        self.tile.pass::<WEIGHTED>(self.columns)?;
        self.partial.add(self.tile, columns);
        Ok(())
    }
}

impl Partial {
    /// Add a tile of so many columns.
    #[inline(always)]
    fn add<F: Format>(&mut self, tile: &Tile<'_, F>, columns: usize) {
        let sums = &mut self.sums;
        for (row, [norm, product]) in tile.rows_sums.iter().enumerate() {
            sums.norms[row] += norm;
            sums.projections[row] += product;
        }
        for (sum, norm) in sums.group_norms.iter_mut().zip(&tile.group_norms) {
            *sum += norm;
        }
        sums.zeros += tile.counts.zeros;
        sums.subnormals += tile.counts.subnormals;
        sums.non_finite += tile.counts.non_finite;
        self.non_finite.extend(&tile.non_finite);
        let found = tile.summary();
        sums.mean_norm_squared += found.mean_norm_squared;
        sums.signal += found.signal;
        sums.varying += found.varying;
        if let Some(shape) = &mut sums.shape {
            for (row, [norm, product]) in tile.standardised.iter().enumerate() {
                shape.norms[row] += norm;
                shape.projections[row] += product;
            }
            shape.mean_norm_squared += found.standardised_mean_norm_squared;
            shape.skewness_squared += found.skewness_squared;
            shape.excess_kurtosis += found.excess_kurtosis;
        }
        if let Some(parameters) = &mut self.parameters {
            parameters.add(tile, columns);
        }
    }
}

impl PerParameter {
    fn add<F: Format>(&mut self, tile: &Tile<'_, F>, columns: usize) {
        let first = self.mean.len();
        let fill = |target: &mut Vec<f32>, value: &dyn Fn(usize, usize) -> f64| {
            target.resize(first + tile.mean.len() * LANES, 0.0);
            for block in 0..tile.mean.len() {
                for (lane, column) in F::COLUMNS.into_iter().enumerate() {
                    target[first + block * LANES + column] = f32::narrow(value(block, lane));
                }
            }
            target.truncate(first + columns);
        };
        fill(&mut self.mean, &|block, lane| tile.mean[block].0[lane]);
        fill(&mut self.variance, &|block, lane| tile.variance[block].0[lane]);
        if tile.plan.shape {
            let [third, fourth] = tile.plan.power_scales();
            let deviation = |block: usize, lane: usize| tile.variance[block].0[lane].sqrt();
            fill(&mut self.third, &|block, lane| {
                third * tile.cubes[block].0[lane] * deviation(block, lane).powi(3)
            });
            fill(&mut self.fourth, &|block, lane| {
                fourth * tile.fourths[block].0[lane] * tile.variance[block].0[lane].powi(2)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Request;
    use super::super::tests::gradients;
    use super::*;

    /// All that one tile gives, compiled for the best instruction set of this processor and for the least.
    fn on_both<F: Format>(dtype: Dtype, shape: bool, rows: usize) -> [(Sums, [Vec<f32>; 4]); 2] {
        let data = gradients(dtype, rows, 77, 5);
        let tensor = data.rows();
        let plan = Plan::new(&vec![true; rows], &Request { shape, ..Request::default() }).unwrap();
        [true, false].map(|best| {
            let mut partial = Partial {
                sums: Sums::new(77, rows, 0, shape),
                non_finite: Vec::new(),
                parameters: Some(PerParameter::default()),
            };
            let mut tile = Tile::<F>::new(&plan, tensor.rows());
            let found = if best {
                pass(&mut tile, 0..77, &mut partial)
            } else {
                Pass::<F, false> { tile: &mut tile, columns: 0..77, partial: &mut partial }.run::<Plain>()
            };
            assert!(found.is_ok());
            let PerParameter { mean, variance, third, fourth } = partial.parameters.unwrap();
            (partial.sums, [mean, variance, third, fourth])
        })
    }

    #[test]
    fn the_instruction_set_changes_no_bit() {
        for shape in [false, true] {
            for rows in [5, 70, 131] {
                for [best, plain] in [
                    on_both::<F32>(Dtype::F32, shape, rows),
                    on_both::<Bf16>(Dtype::Bf16, shape, rows),
                    on_both::<F16>(Dtype::F16, shape, rows),
                    on_both::<F8E4M3>(Dtype::F8E4M3, shape, rows),
                    on_both::<F64>(Dtype::F64, shape, rows),
                ] {
                    assert_eq!(best, plain);
                }
            }
        }
    }
}
