//! Zip archives as PyTorch writes them: where each member lies, by the central directory and checked against the local
//! headers, so that no two readers could see different files.

use std::collections::HashSet;
use std::ops::Range;

use super::problem::{Problem, printable};

/// How a zip archive with members begins.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const END64: &[u8] = b"PK\x06\x06";
const LOCATOR64: &[u8] = b"PK\x06\x07";
const LOCATOR64_LENGTH: usize = 20;
const LOCAL_LENGTH: usize = 30;

/// One member of an archive.
#[derive(Debug)]
pub(super) struct Member<'a> {
    /// Its path in the archive.
    pub name: &'a str,
    /// Its bytes as they lie in the file, compressed or not.
    pub span: Range<usize>,
    /// Whether they are neither compressed nor encrypted.
    pub stored: bool,
}

/// Where the central directory lies, and how many entries it has.
struct Directory {
    span: Range<usize>,
    entries: u64,
}

/// All members in the order of the directory: names unique, spans inside the file and apart from one another.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, Problem> {
    let directory = directory(bytes)?;
    let mut members = Vec::new();
    let mut headers = Vec::new();
    let mut names = HashSet::new();
    let mut at = directory.span.start;
    while at < directory.span.end {
        let (member, header, next) = entry(&bytes[..directory.span.end], at, directory.span.start)?;
        if !names.insert(member.name) {
            let name = printable(member.name);
            return Err(damaged(at, &format!("names of members must be unique; '{name}' is there twice")));
        }
        headers.push((header..member.span.end, at));
        members.push(member);
        at = next;
    }
    if members.len() as u64 != directory.entries {
        let (claimed, found) = (directory.entries, members.len());
        return Err(damaged(at, &format!("the directory must have {claimed} entries; it has {found}")));
    }
    headers.sort_by_key(|(span, _)| span.start);
    match headers.windows(2).find(|pair| pair[0].0.end > pair[1].0.start) {
        Some(pair) => Err(damaged(pair[1].1, "members of the archive must not overlap; two do")),
        None => Ok(members),
    }
}

fn directory(bytes: &[u8]) -> Result<Directory, Problem> {
    let end = end_record(bytes)?;
    let mut entries = u64::from(u16_at(bytes, end + 10)?);
    let mut size = u64::from(u32_at(bytes, end + 12)?);
    let mut start = u64::from(u32_at(bytes, end + 16)?);
    let mut limit = end;
    let locator = end.checked_sub(LOCATOR64_LENGTH).filter(|&at| bytes[at..].starts_with(LOCATOR64));
    if let Some(locator) = locator {
        let record = to_offset(u64_at(bytes, locator + 8)?);
        if record.checked_add(4).and_then(|last| bytes.get(record..last)) != Some(END64) || record > locator {
            return Err(damaged(locator, "the zip64 record must be where its locator says; it is not there"));
        }
        let classic =
            [(entries, u64::from(u16::MAX)), (size, u64::from(u32::MAX)), (start, u64::from(u32::MAX))];
        entries = u64_at(bytes, record + 32)?;
        size = u64_at(bytes, record + 40)?;
        start = u64_at(bytes, record + 48)?;
        let agree = classic
            .iter()
            .zip([entries, size, start])
            .all(|(&(value, unset), wide)| value == unset || value == wide);
        if !agree {
            return Err(damaged(record, "both end records of the archive must agree; they do not"));
        }
        limit = record;
    }
    let start = to_offset(start);
    match start.checked_add(to_offset(size)) {
        Some(stop) if stop <= limit => Ok(Directory { span: start..stop, entries }),
        _ => Err(damaged(
            end,
            &format!("the directory must lie before byte {limit}; its header says otherwise"),
        )),
    }
}

/// The end record is followed by a comment alone, whose length it states.
fn end_record(bytes: &[u8]) -> Result<usize, Problem> {
    let last = bytes.len().saturating_sub(END_LENGTH);
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last)
        .rev()
        .find(|&at| {
            bytes[at..].starts_with(END)
                && u16_at(bytes, at + 20)
                    .is_ok_and(|comment| at + END_LENGTH + usize::from(comment) == bytes.len())
        })
        .ok_or_else(|| {
            damaged(bytes.len(), "a zip archive must end with its directory; this one ends without")
        })
}

/// The member of the directory's entry at `at`, where its local header begins, and where the next entry does.
fn entry(bytes: &[u8], at: usize, directory: usize) -> Result<(Member<'_>, usize, usize), Problem> {
    if !bytes[at..].starts_with(ENTRY) {
        return Err(damaged(at, "an entry of the directory must begin here; none does"));
    }
    let name_length = usize::from(u16_at(bytes, at + 28)?);
    let extra_length = usize::from(u16_at(bytes, at + 30)?);
    let comment_length = usize::from(u16_at(bytes, at + 32)?);
    let name = slice(bytes, at + 46, name_length)?;
    let extra = slice(bytes, at + 46 + name_length, extra_length)?;
    let next = at + 46 + name_length + extra_length + comment_length;
    slice(bytes, next, 0)?;

    let narrow = [u32_at(bytes, at + 24)?, u32_at(bytes, at + 20)?, u32_at(bytes, at + 42)?];
    let [size, compressed, header] = widen(narrow, extra).ok_or_else(|| {
        damaged(at, "an entry with sizes beyond 4 GiB must have them in its zip64 field; it is not there")
    })?;
    let flags = u16_at(bytes, at + 8)?;
    let method = u16_at(bytes, at + 10)?;
    let stored = method == 0 && flags & 1 == 0;
    if stored && size != compressed {
        return Err(damaged(at, "a stored member must have one size; this one has two"));
    }

    let header = to_offset(header);
    let start = local_header(&bytes[..directory], header, name, method).ok_or_else(|| {
        damaged(at, "an entry of the directory must lead to a header like itself; this one does not")
    })?;
    let end = start.checked_add(to_offset(compressed)).filter(|&end| end <= directory).ok_or_else(|| {
        damaged(at, &format!("a member must lie before the directory at byte {directory}; this one does not"))
    })?;
    let name = str::from_utf8(name)
        .map_err(|_| damaged(at + 46, "names of members must be UTF-8; this one is not"))?;
    Ok((Member { name, span: start..end, stored }, header, next))
}

/// Where the data of a member begins, if its local header says what the directory says.
fn local_header(bytes: &[u8], at: usize, name: &[u8], method: u16) -> Option<usize> {
    let fixed = bytes.get(at..at.checked_add(LOCAL_LENGTH)?)?;
    let agrees = fixed.starts_with(MAGIC)
        && u16_at(fixed, 8).ok()? == method
        && usize::from(u16_at(fixed, 26).ok()?) == name.len()
        && bytes.get(at + LOCAL_LENGTH..at + LOCAL_LENGTH + name.len())? == name;
    let extra = usize::from(u16_at(fixed, 28).ok()?);
    agrees.then_some(at + LOCAL_LENGTH + name.len() + extra)
}

/// The fields of an entry, each from its zip64 field if it does not fit 32 bits.
fn widen(narrow: [u32; 3], mut extra: &[u8]) -> Option<[u64; 3]> {
    let mut wide = narrow.map(u64::from);
    if !narrow.contains(&u32::MAX) {
        return Some(wide);
    }
    loop {
        let (kind, length) = (u16_at(extra, 0).ok()?, usize::from(u16_at(extra, 2).ok()?));
        let field = extra.get(4..4 + length)?;
        if kind == 1 {
            let mut values = field.chunks_exact(8).map(|value| u64_at(value, 0));
            for value in wide.iter_mut().filter(|value| **value == u64::from(u32::MAX)) {
                *value = values.next()?.ok()?;
            }
            return Some(wide);
        }
        extra = &extra[4 + length..];
    }
}

fn damaged(at: usize, what: &str) -> Problem {
    Problem::at(at, format!("{what}. The file is damaged or cut short: copy or save it again."))
}

/// A 64-bit offset; one beyond this machine's memory becomes one beyond every file.
fn to_offset(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Problem> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or_else(|| {
        damaged(bytes.len(), "a header of the archive must be complete; the archive ends within one")
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Problem> {
    slice(bytes, at, 2).map(|found| u16::from_le_bytes(found.try_into().expect("2 bytes")))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Problem> {
    slice(bytes, at, 4).map(|found| u32::from_le_bytes(found.try_into().expect("4 bytes")))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Problem> {
    slice(bytes, at, 8).map(|found| u64::from_le_bytes(found.try_into().expect("8 bytes")))
}
