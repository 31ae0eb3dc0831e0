//! A scan of tensors of which some lack rows: experts and embeddings that an example did not touch.

use std::collections::BTreeMap;

use super::request::Request;
use super::scan::{Sink, scan};
use super::sums::Sums;
use crate::error::Error;
use crate::numeric::Rows;

/// One tensor, and which rows of the dump it has; all of them without `present`.
#[derive(Debug, Clone)]
pub struct PartialRows<'a> {
    /// The rows that are there.
    pub rows: Rows<'a>,
    /// Their numbers in the dump, ascending.
    pub present: Option<&'a [usize]>,
}

/// Results of a scan of partial tensors: as [`super::Scanned`], with rows numbered as in the dump.
#[derive(Debug, Clone, PartialEq)]
pub struct PartlyScanned {
    /// One per tensor, over its own kept rows.
    pub sums: Vec<Sums>,
    /// Rows of the dump that hold a number that is not finite.
    pub non_finite_rows: Vec<usize>,
}

/// As [`scan`], one pass for all tensors that have the same rows; `keep` and the request are about rows of the dump.
///
/// # Errors
/// As [`scan`]; [`Error::Shape`] if a tensor has other rows than it says, or rows beyond `keep`.
pub fn scan_partial(
    tensors: &[PartialRows<'_>],
    keep: &[bool],
    request: &Request<'_>,
    mut sink: Option<&mut dyn Sink>,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<PartlyScanned, Error> {
    let mut alike: BTreeMap<Option<&[usize]>, Vec<usize>> = BTreeMap::new();
    for (index, tensor) in tensors.iter().enumerate() {
        check(tensor, keep.len())?;
        alike.entry(tensor.present).or_default().push(index);
    }
    let mut sums = vec![Sums::default(); tensors.len()];
    let mut non_finite_rows = Vec::new();
    let mut before = 0;
    for (present, members) in alike {
        let all: Vec<usize>;
        let present = if let Some(present) = present {
            present
        } else {
            all = (0..keep.len()).collect();
            &all
        };
        let (weights, groups) = (picked(request.weights, present), picked(request.groups, present));
        let request = Request { weights: weights.as_deref(), groups: groups.as_deref(), ..*request };
        let kept: Vec<bool> = present.iter().map(|&row| keep[row]).collect();
        let rows: Vec<Rows<'_>> = members.iter().map(|&index| tensors[index].rows.clone()).collect();
        let mut renamed = sink.as_deref_mut().map(|sink| Renamed { sink, members: &members });
        let mut done = 0;
        let found =
            scan(&rows, &kept, &request, renamed.as_mut().map(|sink| sink as &mut dyn Sink), &mut |bytes| {
                done = bytes;
                progress(before + bytes)
            })?;
        before += done;
        non_finite_rows.extend(found.non_finite_rows.iter().map(|&row| present[row]));
        for (&index, found) in members.iter().zip(found.sums) {
            sums[index] = found;
        }
    }
    non_finite_rows.sort_unstable();
    non_finite_rows.dedup();
    Ok(PartlyScanned { sums, non_finite_rows })
}

fn check(tensor: &PartialRows<'_>, rows: usize) -> Result<(), Error> {
    let found = tensor.rows.rows().len();
    let fits = tensor.present.is_none_or(|present| {
        present.len() == found
            && present.is_sorted_by(|a, b| a < b)
            && present.last().is_none_or(|&row| row < rows)
    });
    if fits {
        return Ok(());
    }
    Err(Error::Shape {
        argument: "present",
        expected: format!("({found},), ascending numbers of the dump's {rows} rows"),
        found: format!("{:?}", tensor.present.unwrap_or_default()),
    })
}

fn picked<T: Copy>(of_rows: Option<&[T]>, present: &[usize]) -> Option<Vec<T>> {
    of_rows.map(|values| present.iter().map(|&row| values[row]).collect())
}

/// Numbers tensors as the caller does.
struct Renamed<'a> {
    sink: &'a mut dyn Sink,
    members: &'a [usize],
}

impl Sink for Renamed<'_> {
    fn unit(
        &mut self,
        tensor: usize,
        first: usize,
        mean: &[f32],
        variance: &[f32],
        third: &[f32],
        fourth: &[f32],
    ) -> Result<(), Error> {
        self.sink.unit(self.members[tensor], first, mean, variance, third, fourth)
    }
}
