//! In which order rows are met, and what each of them counts.

use super::request::Request;
use crate::error::{Error, require};

/// Rows between two flushes of column sums into double precision.
const FLUSH: usize = 64;
/// Numbers of a tile: with four bytes each, what stays in a share of the last cache while it is passed again.
const TILE: usize = 1 << 18;
/// Columns of a tile: long enough runs for memory, short enough sums of a row.
const TILE_COLUMNS: std::ops::RangeInclusive<usize> = 128..=1_024;
/// Numbers of a unit of work; one tile in tests, so that small data has many.
const UNIT: usize = if cfg!(test) { 1 } else { 1 << 21 };

/// The kept rows, those of one group side by side, with their weights.
pub struct Plan {
    /// The row at each position.
    pub order: Vec<usize>,
    /// Where the results of each position belong: its rank among the kept rows.
    pub ranks: Vec<usize>,
    /// Positions of the rows of each group; one segment without groups.
    pub segments: Vec<Segment>,
    /// Number of groups, zero without any.
    pub groups: usize,
    /// Weight and its root, per position, unless all weights are equal.
    pub weights: Option<Vec<[f64; 2]>>,
    /// The weight of every row where all are equal, otherwise 1: sums leave it out.
    pub common: f64,
    /// Sum of the weights.
    pub examples: f64,
    /// Whether shapes of distributions are asked for.
    pub shape: bool,
    /// Columns of a tile, from the number of rows alone.
    pub tile_columns: usize,
    /// Columns of a unit, a multiple of those of a tile.
    pub unit_columns: usize,
}

/// Neighbouring positions whose rows are one group.
pub struct Segment {
    /// The group.
    pub group: usize,
    /// The first position.
    pub start: usize,
    /// After the last position.
    pub end: usize,
}

impl Segment {
    /// Runs of rows between two flushes.
    pub fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        (self.start..self.end).step_by(FLUSH).map(|start| start..self.end.min(start + FLUSH))
    }
}

impl Plan {
    /// Check the request against the number of rows.
    pub fn new(keep: &[bool], request: &Request<'_>) -> Result<Self, Error> {
        let length = |argument, found: usize| {
            if found == keep.len() {
                return Ok(());
            }
            let (expected, found) = (format!("(rows,) = ({},)", keep.len()), format!("({found},)"));
            Err(Error::Shape { argument, expected, found })
        };
        let mut order: Vec<usize> = (0..keep.len()).filter(|&row| keep[row]).collect();
        if order.len() < 2 {
            return Err(Error::Shape {
                argument: "keep",
                expected: "(rows,) with two rows or more to keep".to_owned(),
                found: format!("{} of {} rows", order.len(), keep.len()),
            });
        }
        if let Some(weights) = request.weights {
            length("weights", weights.len())?;
            require("weights", "positive and finite", weights, |weight| {
                weight > 0.0 && weight < f64::INFINITY
            })?;
        }
        let mut ranks: Vec<usize> = (0..order.len()).collect();
        let mut segments = vec![Segment { group: 0, start: 0, end: order.len() }];
        let mut groups = 0;
        if let Some(ids) = request.groups {
            length("groups", ids.len())?;
            let found: Vec<f64> = ids.iter().copied().map(f64::from).collect();
            #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
            let count = keep.len() as f64;
            require("groups", "less than the number of rows", &found, |group| group < count)?;
            let group = |row: usize| ids[row] as usize;
            groups = ids.iter().max().map_or(0, |&last| last as usize + 1);
            let kept = order.clone();
            ranks.sort_by_key(|&rank| group(kept[rank]));
            order = ranks.iter().map(|&rank| kept[rank]).collect();
            segments = Vec::new();
            for run in order.chunk_by(|&one, &next| group(one) == group(next)) {
                let start = segments.last().map_or(0, |last: &Segment| last.end);
                segments.push(Segment { group: group(run[0]), start, end: start + run.len() });
            }
        }
        let weight = |row: usize| request.weights.map_or(1.0, |weights| weights[row]);
        let common = Some(weight(order[0]))
            .filter(|first| order.iter().all(|&row| weight(row).total_cmp(first).is_eq()));
        let tile_columns = (TILE / order.len()).clamp(*TILE_COLUMNS.start(), *TILE_COLUMNS.end()) / 16 * 16;
        Ok(Self {
            examples: order.iter().map(|&row| weight(row)).sum(),
            weights: match common {
                Some(_) => None,
                None => Some(order.iter().map(|&row| [weight(row), weight(row).sqrt()]).collect()),
            },
            common: common.unwrap_or(1.0),
            unit_columns: (UNIT / order.len() / tile_columns).max(1) * tile_columns,
            tile_columns,
            order,
            ranks,
            segments,
            groups,
            shape: request.shape,
        })
    }
}

impl Plan {
    /// Factors that turn sums of third and fourth powers, taken without the common weight, into means over rows.
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    pub fn power_scales(&self) -> [f64; 2] {
        let count = self.order.len() as f64;
        [self.common * self.common.sqrt() / count, self.common * self.common / count]
    }
}
