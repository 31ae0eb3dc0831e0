//! Moments of every parameter, streamed to a file while the scan goes on.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::scan::Sink;
use crate::error::Error;

const MOMENTS: [&str; 4] = ["mean", "variance", "third_moment", "fourth_moment"];
const NUMBER: u64 = 4;

/// A `.safetensors` file with `<tensor>.mean`, `<tensor>.variance`, … or a `.npy` file of shape (moment, parameter), in
/// single precision. Its size is known from the start, so every number goes straight to its place.
pub struct ParameterFile {
    label: String,
    file: File,
    scale: f64,
    moments: usize,
    /// Per tensor and moment: where its numbers begin.
    starts: Vec<[u64; 4]>,
    bytes: Vec<u8>,
}

impl ParameterFile {
    /// Create the file of some tensors, by name and shape; stored numbers times `scale` are gradients.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn create(
        path: &Path,
        tensors: &[(String, Vec<usize>)],
        shape: bool,
        scale: f64,
    ) -> Result<Self, Error> {
        let moments = if shape { 4 } else { 2 };
        let counts: Vec<u64> =
            tensors.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).collect();
        let total: u64 = counts.iter().sum();
        let (header, starts) = if path.extension().is_some_and(|suffix| suffix == "npy") {
            let header = npy_header(moments, total);
            let first = header.len() as u64;
            let before = running(&counts, 1);
            let at =
                |start: u64| std::array::from_fn(|moment| first + NUMBER * (moment as u64 * total + start));
            (header, before.into_iter().map(at).collect())
        } else {
            let header = safetensors_header(tensors, &counts, moments);
            let first = header.len() as u64;
            let before = running(&counts, moments as u64);
            let at = |(start, count): (u64, &u64)| {
                std::array::from_fn(|moment| first + NUMBER * (start + moment as u64 * count))
            };
            (header, before.into_iter().zip(&counts).map(at).collect())
        };
        let label = path.display().to_string();
        let mut created = Self {
            file: File::create(path).map_err(|error| unwritable(&label, &error))?,
            label,
            scale,
            moments,
            starts,
            bytes: Vec::new(),
        };
        let size = header.len() as u64 + NUMBER * total * moments as u64;
        let written = created.file.write_all(&header).and_then(|()| created.file.set_len(size));
        written.map_err(|error| unwritable(&created.label, &error))?;
        Ok(created)
    }

    #[expect(clippy::cast_possible_truncation, reason = "stored in single precision")]
    fn put(&mut self, start: u64, first: usize, numbers: &[f32], factor: f64) -> std::io::Result<()> {
        self.bytes.clear();
        let scaled = numbers.iter().map(|&number| (f64::from(number) * factor) as f32);
        self.bytes.extend(scaled.flat_map(f32::to_le_bytes));
        self.file.seek(SeekFrom::Start(start + NUMBER * first as u64))?;
        self.file.write_all(&self.bytes)
    }
}

impl Sink for ParameterFile {
    fn unit(
        &mut self,
        tensor: usize,
        first: usize,
        mean: &[f32],
        variance: &[f32],
        third: &[f32],
        fourth: &[f32],
    ) -> Result<(), Error> {
        let (starts, scale) = (self.starts[tensor], self.scale);
        let mut factor = 1.0;
        for (start, numbers) in starts.into_iter().zip([mean, variance, third, fourth]).take(self.moments) {
            factor *= scale;
            self.put(start, first, numbers, factor).map_err(|error| unwritable(&self.label, &error))?;
        }
        Ok(())
    }
}

/// Where each of some runs of `times · count` numbers begins.
fn running(counts: &[u64], times: u64) -> Vec<u64> {
    let ends = counts.iter().scan(0, |end, count| {
        *end += times * count;
        Some(*end - times * count)
    });
    ends.collect()
}

fn unwritable(label: &str, error: &std::io::Error) -> Error {
    let problem =
        format!("it must be possible to write the moments there; the system says: {error}. Choose another.");
    Error::in_file(label, None, None, problem)
}

fn npy_header(moments: usize, total: u64) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({moments}, {total}), }}");
    // Magic, version, length of the header; then the numbers start at a multiple of 64 bytes.
    let padded = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    #[expect(clippy::cast_possible_truncation, reason = "a header of some hundred bytes")]
    header.extend((padded as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = padded - 1).bytes());
    header
}

fn safetensors_header(tensors: &[(String, Vec<usize>)], counts: &[u64], moments: usize) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut next = 0;
    for ((name, shape), count) in tensors.iter().zip(counts) {
        for moment in &MOMENTS[..moments] {
            let end = next + NUMBER * count;
            let name = serde_json::Value::String(format!("{name}.{moment}"));
            let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [next, end]});
            entries.push(format!("{name}:{entry}"));
            next = end;
        }
    }
    // Spaces, so that the numbers start at a multiple of 8 bytes.
    let text = format!("{{{}}}", entries.join(","));
    let width = text.len().next_multiple_of(8);
    let mut header = (width as u64).to_le_bytes().to_vec();
    header.extend(format!("{text:<bytes$}", bytes = width - text.len() + text.chars().count()).bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, shape: bool) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let tensors = [("a".to_owned(), vec![2]), ("b".to_owned(), vec![1, 3])];
        let mut file = ParameterFile::create(&path, &tensors, shape, 2.0).unwrap();
        file.unit(0, 0, &[1.0, 2.0], &[3.0, 4.0], &[5.0, 6.0], &[7.0, 8.0]).unwrap();
        file.unit(1, 2, &[30.0], &[31.0], &[32.0], &[33.0]).unwrap();
        file.unit(1, 0, &[10.0, 20.0], &[11.0, 21.0], &[12.0, 22.0], &[13.0, 23.0]).unwrap();
        drop(file);
        std::fs::read(path).unwrap()
    }

    fn numbers(bytes: &[u8]) -> Vec<f32> {
        bytes.chunks(4).map(|number| f32::from_le_bytes(number.try_into().unwrap())).collect()
    }

    /// Means are doubled, variances times four, third moments times eight, fourth times sixteen.
    #[test]
    fn a_table_has_one_row_per_moment() {
        let bytes = write("moments.npy", true);
        assert_eq!(bytes.len() % 64, 4 * 5 * 4 % 64);
        let rows = numbers(&bytes[bytes.len() - 80..]);
        assert_eq!(rows[..5], [2.0, 4.0, 20.0, 40.0, 60.0]);
        assert_eq!(rows[5..10], [12.0, 16.0, 44.0, 84.0, 124.0]);
        assert_eq!(rows[15..], [112.0, 128.0, 208.0, 368.0, 528.0]);
    }

    #[test]
    fn a_safetensors_file_has_one_tensor_per_moment() {
        let bytes = write("moments.safetensors", false);
        let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        assert_eq!(header["b.variance"]["shape"], serde_json::json!([1, 3]));
        assert_eq!(header["b.variance"]["data_offsets"], serde_json::json!([28, 40]));
        assert_eq!(
            numbers(&bytes[8 + length..]),
            [2.0, 4.0, 12.0, 16.0, 20.0, 40.0, 60.0, 44.0, 84.0, 124.0]
        );
    }
}
