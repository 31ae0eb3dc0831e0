//! Unpacking a DEFLATE stream that may lie about its length, in chunks of bounded memory.

use std::io::{self, Write};

use flate2::{Decompress, FlushDecompress, Status};

/// DEFLATE packs at most 258 bytes into 2 bits: no stream grows more than this.
pub(super) const MOST_GROWTH: usize = 1032;

const CHUNK: usize = 1 << 18;

/// A stream is not what it must be, seen at this byte of it.
#[derive(Debug)]
pub(super) struct Broken {
    pub at: usize,
    pub problem: String,
}

/// Why an array could not be unpacked.
#[derive(Debug)]
pub(super) enum Failure {
    Stream(Broken),
    /// The unpacked bytes could not be written.
    Write(io::Error),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Stream(broken)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Write the `size` bytes that follow the first `skip` ones of a stream, which must then end.
pub(super) fn inflate(stream: &[u8], skip: usize, size: usize, out: &mut impl Write) -> Result<(), Failure> {
    let expected = skip + size;
    let mut steps = Steps::new(stream, CHUNK);
    let mut done = 0;
    while let Some(chunk) = steps.next(expected - done)? {
        let first = skip.saturating_sub(done).min(chunk.len());
        out.write_all(&chunk[first..])?;
        done += chunk.len();
    }
    if done == expected {
        return Ok(());
    }
    let problem = format!("it must unpack to {expected} bytes; it ends after {done}");
    Err(Failure::Stream(Broken { at: steps.at(), problem }))
}

/// The first bytes of a stream: `length` of them, or all if there are fewer.
pub(super) fn beginning(stream: &[u8], length: usize) -> Result<Vec<u8>, Broken> {
    let mut steps = Steps::new(stream, length.max(1));
    let mut found = Vec::new();
    while found.len() < length {
        match steps.part(length - found.len())? {
            Some(chunk) => found.extend_from_slice(chunk),
            None => break,
        }
    }
    Ok(found)
}

/// A stream, unpacked piece by piece.
struct Steps<'a> {
    stream: &'a [u8],
    inflater: Decompress,
    buffer: Vec<u8>,
    ended: bool,
}

impl<'a> Steps<'a> {
    fn new(stream: &'a [u8], chunk: usize) -> Self {
        Self { stream, inflater: Decompress::new(false), buffer: vec![0; chunk], ended: false }
    }

    /// Bytes of the stream that were read.
    fn at(&self) -> usize {
        usize::try_from(self.inflater.total_in()).map_or(self.stream.len(), |at| at.min(self.stream.len()))
    }

    /// The next piece; none at the end. More than `most` bytes are an error.
    fn next(&mut self, most: usize) -> Result<Option<&[u8]>, Broken> {
        // Room for one byte more shows a stream that does not end where it must.
        let at = self.at();
        match self.part(most.saturating_add(1))? {
            Some(chunk) if chunk.len() > most => {
                Err(Broken { at, problem: "it must end with the last number; it goes on".to_owned() })
            }
            piece => Ok(piece),
        }
    }

    /// The next piece of at most `room` bytes; none at the end.
    fn part(&mut self, room: usize) -> Result<Option<&[u8]>, Broken> {
        let room = room.min(self.buffer.len());
        while !self.ended {
            let (read, written) = (self.at(), self.inflater.total_out());
            let output = &mut self.buffer[..room];
            let step = self.inflater.decompress(&self.stream[read..], output, FlushDecompress::None);
            let status = step.map_err(|_| Broken {
                at: self.at(),
                problem: "it must be a DEFLATE stream; it is damaged".to_owned(),
            })?;
            let fresh =
                usize::try_from(self.inflater.total_out() - written).map_or(room, |fresh| fresh.min(room));
            // A stream that is cut makes no progress any more.
            self.ended = status == Status::StreamEnd || (fresh == 0 && self.at() == read);
            if fresh > 0 {
                return Ok(Some(&self.buffer[..fresh]));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn problem(outcome: Result<(), Failure>) -> String {
        match outcome.unwrap_err() {
            Failure::Stream(broken) => broken.problem,
            Failure::Write(error) => panic!("writing to memory failed: {error}"),
        }
    }

    #[test]
    fn a_stream_of_another_length_is_refused_and_never_written_beyond_its_claim() {
        let stream = deflated(&[7; 1000]);
        let mut out = Vec::new();
        let longer = inflate(&stream, 10, 989, &mut out);
        assert_eq!(problem(longer), "it must end with the last number; it goes on");
        assert!(out.len() <= 989);
        let shorter = inflate(&stream, 10, 991, &mut Vec::new());
        assert_eq!(problem(shorter), "it must unpack to 1001 bytes; it ends after 1000");
        let cut = inflate(&stream[..stream.len() - 2], 10, 990, &mut Vec::new());
        assert!(problem(cut).starts_with("it must unpack to 1000 bytes; it ends after"));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        // A slice takes as many bytes as it has.
        let mut disk = [0; 999];
        let outcome = inflate(&deflated(&[7; 1000]), 0, 1000, &mut &mut disk[..]);
        assert!(matches!(outcome, Err(Failure::Write(_))));
    }

    #[test]
    fn zeros_grow_the_most_and_no_more_than_the_limit() {
        let stream = deflated(&vec![0; 10 << 20]);
        let growth = (10 << 20) / stream.len();
        assert!((200..=MOST_GROWTH).contains(&growth), "{growth}");
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(
            bytes in prop::collection::vec(0_u8..4, 0..5000),
            skip in 0_usize..100,
            head in 0_usize..100,
        ) {
            let (stream, skip) = (deflated(&bytes), skip.min(bytes.len()));
            let mut out = Vec::new();
            inflate(&stream, skip, bytes.len() - skip, &mut out).unwrap();
            prop_assert_eq!(&out[..], &bytes[skip..]);
            prop_assert_eq!(&beginning(&stream, head).unwrap()[..], &bytes[..head.min(bytes.len())]);
        }

        #[test]
        fn nonsense_is_an_error_or_has_its_length(
            stream in prop::collection::vec(any::<u8>(), 0..200),
            size in 0_usize..2000,
        ) {
            let mut out = Vec::new();
            let outcome = inflate(&stream, 0, size, &mut out);
            prop_assert!(out.len() <= size);
            prop_assert!(outcome.is_err() || out.len() == size);
        }
    }
}
