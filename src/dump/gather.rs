//! A view of any strides, written row-major with bounded memory.
//!
//! The output is cut into boxes of a few MB. Within a box, the axis along which the source is densest runs fastest, so
//! that a column-major file is read in whole cache lines and pages, each of them once, however large it is.

use std::io::{self, Seek, SeekFrom, Write};

/// Bytes of a box.
const BOX: usize = 1 << 22;

/// Bytes of the source that a box reads, whole pages where its numbers are that far apart: it must not take long, since
/// nobody can stop the work within a box.
const READ: usize = 1 << 26;

const PAGE: usize = 1 << 12;

/// Numbers that a box should hold along the densest axis: a page of them.
const DENSE: usize = 1024;

/// An axis of length 2 or more.
#[derive(Debug, Clone, Copy)]
struct Axis {
    length: usize,
    /// In the source, in elements.
    stride: usize,
    /// In the output, in elements.
    pitch: usize,
    /// How much of it a box holds.
    extent: usize,
}

/// Write the elements of `size` bytes, from the one at `source[0]` on, in row-major order.
///
/// The caller has checked that the view lies inside the source and is not empty.
pub(super) fn gather(
    source: &[u8],
    size: usize,
    shape: &[usize],
    strides: &[usize],
    out: &mut (impl Write + Seek),
) -> io::Result<()> {
    by_boxes(source, size, shape, strides, room(size, shape, strides), out)
}

/// Elements of a box.
fn room(size: usize, shape: &[usize], strides: &[usize]) -> usize {
    let steps = shape.iter().zip(strides).filter(|&(&length, &stride)| length > 1 && stride > 0);
    let apart = steps.map(|(_, &stride)| stride.saturating_mul(size).min(PAGE)).min();
    (BOX / size).min(READ / apart.unwrap_or(size))
}

/// The same with boxes of at most so many elements.
fn by_boxes(
    source: &[u8],
    size: usize,
    shape: &[usize],
    strides: &[usize],
    most: usize,
    out: &mut (impl Write + Seek),
) -> io::Result<()> {
    let (axes, dense, run) = plan(shape, strides, most);
    let rows = axes.iter().map(|axis| axis.extent).product::<usize>() / run;
    // Rows of a box that are a power of two apart would all meet in the same few lines of the cache.
    let pitch = if rows > 1 { run * size + 64 } else { run * size };
    let mut buffer = vec![0; rows * pitch];
    let mut corner = vec![0; axes.len()];
    loop {
        let part: Vec<usize> =
            axes.iter().zip(&corner).map(|(axis, &first)| axis.extent.min(axis.length - first)).collect();
        let first: usize = axes.iter().zip(&corner).map(|(axis, &first)| axis.stride * first).sum();
        let target: usize = axes.iter().zip(&corner).map(|(axis, &first)| axis.pitch * first).sum();
        let inner = Inner { axes: &axes, part: &part, dense, run, pitch, size };
        inner.copy(&source[first * size..], &mut buffer);
        inner.write(&buffer, target, out)?;
        if !advance(&mut corner, |at| axes[at].extent, |at| axes[at].length) {
            return Ok(());
        }
    }
}

/// The axes with the extents of a box of at most `most` elements, the densest axis, and the elements of a box that
/// are neighbours in the output.
fn plan(shape: &[usize], strides: &[usize], most: usize) -> (Vec<Axis>, usize, usize) {
    let mut axes: Vec<Axis> = Vec::new();
    let mut pitch = 1;
    for (&length, &stride) in shape.iter().zip(strides).rev() {
        if length > 1 {
            axes.push(Axis { length, stride, pitch, extent: 1 });
        }
        pitch *= length;
    }
    axes.reverse();
    if axes.is_empty() {
        axes.push(Axis { length: 1, stride: 1, pitch: 1, extent: 1 });
    }
    let rank = |at: &usize| if axes[*at].stride == 0 { usize::MAX } else { axes[*at].stride };
    // Of equals the last one, whose neighbours are neighbours in the output too.
    let dense = (0..axes.len()).rev().min_by_key(rank).expect("there is an axis");
    // From the last axis on, as much as leaves room for the densest one.
    let mut limit = most / axes[dense].length.min(DENSE);
    let mut run = 1;
    for at in (0..axes.len()).rev() {
        if at == dense {
            limit = most;
        }
        axes[at].extent = axes[at].length.min(limit / run).max(1);
        run *= axes[at].extent;
        if axes[at].extent < axes[at].length {
            break;
        }
    }
    if axes[dense].extent == 1 {
        axes[dense].extent = axes[dense].length.min(most / run).max(1);
    }
    (axes, dense, run)
}

/// One box: where its elements are in the source, in the buffer, and in the output.
struct Inner<'a> {
    axes: &'a [Axis],
    /// The extents here; smaller at the edges.
    part: &'a [usize],
    dense: usize,
    /// Elements of a full box that are neighbours in the output.
    run: usize,
    /// Bytes from one run to the next in the buffer.
    pitch: usize,
    size: usize,
}

impl Inner<'_> {
    /// Where a step along an axis leads in the buffer, in bytes.
    fn step(&self, at: usize) -> usize {
        if self.axes[at].pitch < self.run { self.axes[at].pitch * self.size } else { self.pitch }
    }

    fn copy(&self, source: &[u8], buffer: &mut [u8]) {
        match self.size {
            1 => self.copy_sized::<1>(source, buffer),
            2 => self.copy_sized::<2>(source, buffer),
            4 => self.copy_sized::<4>(source, buffer),
            _ => self.copy_sized::<8>(source, buffer),
        }
    }

    fn copy_sized<const SIZE: usize>(&self, source: &[u8], buffer: &mut [u8]) {
        let mut index = vec![0; self.axes.len()];
        let (stride, step) = (self.axes[self.dense].stride * SIZE, self.step(self.dense));
        let length = self.part[self.dense];
        loop {
            let from: usize = index.iter().zip(self.axes).map(|(&i, axis)| i * axis.stride * SIZE).sum();
            let to: usize = index.iter().enumerate().map(|(at, &i)| i * self.step(at)).sum();
            if stride == SIZE && step == SIZE {
                buffer[to..to + length * SIZE].copy_from_slice(&source[from..from + length * SIZE]);
            } else {
                for i in 0..length {
                    let (from, to) = (from + i * stride, to + i * step);
                    buffer[to..to + SIZE].copy_from_slice(&source[from..from + SIZE]);
                }
            }
            // The densest axis was done as a whole: it advances past its end at once.
            if !advance(&mut index, |at| if at == self.dense { length } else { 1 }, |at| self.part[at]) {
                return;
            }
        }
    }

    fn write(&self, buffer: &[u8], target: usize, out: &mut (impl Write + Seek)) -> io::Result<()> {
        // The axes of a run are all complete but the first one, and that is what is cut at an edge.
        let run: usize = self.within().product();
        let mut index = vec![0; self.axes.len()];
        loop {
            let rows: usize = index.iter().zip(self.axes).map(|(&i, axis)| i * axis.pitch).sum();
            let from: usize = index.iter().enumerate().map(|(at, &i)| i * self.step(at)).sum();
            out.seek(SeekFrom::Start(((target + rows) * self.size) as u64))?;
            out.write_all(&buffer[from..from + run * self.size])?;
            let whole = |at: usize| self.axes[at].pitch < self.run;
            if !advance(&mut index, |at| if whole(at) { self.part[at] } else { 1 }, |at| self.part[at]) {
                return Ok(());
            }
        }
    }

    fn within(&self) -> impl Iterator<Item = usize> {
        self.axes.iter().zip(self.part).filter(|(axis, _)| axis.pitch < self.run).map(|(_, &part)| part)
    }
}

/// The next index in row-major order, by these steps up to these ends; false after the last one.
fn advance(index: &mut [usize], step: impl Fn(usize) -> usize, end: impl Fn(usize) -> usize) -> bool {
    for at in (0..index.len()).rev() {
        index[at] += step(at);
        if index[at] < end(at) {
            return true;
        }
        index[at] = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// The elements of a view, one by one.
    fn one_by_one(source: &[u8], size: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut index = vec![0; shape.len()];
        loop {
            let at = size * index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
            out.extend_from_slice(&source[at..at + size]);
            if !advance(&mut index, |_| 1, |at| shape[at]) {
                return out;
            }
        }
    }

    fn gathered(source: &[u8], size: usize, shape: &[usize], strides: &[usize], most: usize) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        by_boxes(source, size, shape, strides, most, &mut out).unwrap();
        out.into_inner()
    }

    #[test]
    fn a_column_major_matrix_is_transposed() {
        // Columns (0, 1), (2, 3), (4, 5): row 0 is 0, 2, 4.
        assert_eq!(gathered(&[0, 1, 2, 3, 4, 5], 1, &[2, 3], &[1, 2], 1 << 20), [0, 2, 4, 1, 3, 5]);
        assert_eq!(gathered(&[7, 8], 2, &[], &[], 1 << 20), [7, 8]);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut disk = [0; 5];
        assert!(gather(&[0, 1, 2, 3, 4, 5], 1, &[2, 3], &[1, 2], &mut Cursor::new(&mut disk[..])).is_err());
    }

    #[test]
    fn a_box_reads_pages_of_the_source_and_writes_long_runs() {
        // A thousand examples of two million parameters, column-major: all examples in a box, and about a
        // thousand parameters of each, so that a box of 2^20 numbers reads each page once.
        let (axes, dense, run) = plan(&[1000, 2_000_000], &[1, 1000], 1 << 20);
        assert_eq!((dense, run, axes[0].extent), (0, 1048, 1000));
        // Row-major rows that are a part of longer ones: as much of a row as fits.
        let (axes, dense, run) = plan(&[10, 3_000_000], &[4_000_000, 1], 1 << 20);
        assert_eq!((dense, run, axes[0].extent), (1, 1 << 20, 1));
        // Short last axes: a run takes in the axes before them.
        let (_, dense, run) = plan(&[1_000_000, 8, 3], &[1, 1_000_000, 8_000_000], 1 << 20);
        assert_eq!((dense, run), (0, (1 << 20) / 24 * 24));
    }

    #[test]
    fn a_box_of_numbers_far_apart_is_smaller() {
        // 2^20 floats in a row are 4 MB. 64 bytes apart, they are 64 MB of source; 2^10 numbers apart, a page each,
        // 2^14 of them are.
        assert_eq!(room(4, &[1 << 12, 1 << 12], &[1 << 12, 1]), 1 << 20);
        assert_eq!(room(4, &[1 << 12, 1 << 12], &[1 << 16, 16]), 1 << 20);
        assert_eq!(room(4, &[1 << 12, 1 << 12], &[1 << 22, 1 << 10]), 1 << 14);
        assert_eq!(room(4, &[2, 1 << 12], &[usize::MAX, 1 << 30]), 1 << 14);
        // Repeats and axes of one item are no steps.
        assert_eq!(room(8, &[3, 1], &[0, 1 << 10]), 1 << 19);
    }

    proptest! {
        #[test]
        fn any_view_is_gathered_as_one_by_one(
            axes in prop::collection::vec((1_usize..8, 0_usize..9), 0..5),
            size in prop::sample::select(vec![1_usize, 2, 4, 8]),
            most in prop::sample::select(vec![1_usize, 2, 5, 16, 100, 1 << 19]),
        ) {
            let (shape, strides): (Vec<usize>, Vec<usize>) = axes.into_iter().unzip();
            let last: usize = shape.iter().zip(&strides).map(|(axis, stride)| (axis - 1) * stride).sum();
            let source: Vec<u8> = (0..=u8::MAX).cycle().take((last + 1) * size).collect();
            let expected = one_by_one(&source, size, &shape, &strides);
            prop_assert_eq!(gathered(&source, size, &shape, &strides, most), expected);
        }

        #[test]
        fn any_order_of_axes_is_gathered_as_one_by_one(
            shape in prop::collection::vec(1_usize..7, 3),
            order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
            most in 1_usize..400,
        ) {
            let mut strides = vec![0; 3];
            let mut next = 1;
            for axis in order {
                strides[axis] = next;
                next *= shape[axis];
            }
            let source: Vec<u8> = (0..=u8::MAX).cycle().take(next * 2).collect();
            let expected = one_by_one(&source, 2, &shape, &strides);
            prop_assert_eq!(gathered(&source, 2, &shape, &strides, most), expected);
        }
    }
}
