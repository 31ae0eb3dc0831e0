//! The directory of a zip file: where each member's bytes are, checked against what it leads to, so that no two readers
//! could see different files. Nothing is unpacked, and nothing is allocated on the word of a header.

use std::ops::Range;

use super::bytes::{u16_at, u32_at, u64_at};
use super::problem::Problem;
use crate::error::shown;

/// How a member is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
}

/// A file within the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub name: &'a str,
    pub method: Method,
    /// Its (packed) bytes in the file.
    pub span: Range<usize>,
    /// Bytes once unpacked, as the directory claims.
    pub unpacked: usize,
    /// The first byte of its local header, which comes before its data.
    header: usize,
}

/// How a zip file with members begins: with the local header of the first one.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// How a zip file without members begins, and every other one ends.
pub(super) const END: &[u8] = b"PK\x05\x06";

const LOCAL_LENGTH: usize = 30;
const END_LENGTH: usize = 22;
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_64_LENGTH: usize = 20;
const RECORD: &[u8] = b"PK\x01\x02";
const RECORD_LENGTH: usize = 46;

/// Fields of the end record where the wide one alone has the numbers.
const UNSET: [u64; 5] = [0xffff, 0xffff, 0xffff, 0xffff_ffff, 0xffff_ffff];

/// Flags of encrypted, patched and masked members.
const UNREADABLE: u16 = 0x0001 | 0x0020 | 0x0040 | 0x2000;

/// All members but folders, in the order of the directory; their bytes do not overlap, and no name occurs twice.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, Problem> {
    let (directory, records) = directory(bytes)?;
    let mut members = Vec::new();
    let mut at = directory.start;
    while at < directory.end {
        let (member, next) = member(bytes, at, &directory)?;
        members.push(member);
        at = next;
    }
    let found = members.len();
    if found as u64 != records {
        let problem = format!("the directory of a zip file must have {records} records; it has {found}");
        return Err(damaged(at, &problem));
    }
    check_names(&members, directory.start)?;
    check_overlap(&members)?;
    members.retain(|member| !member.name.ends_with('/'));
    Ok(members)
}

/// Where the directory is, and the number of its records.
fn directory(bytes: &[u8]) -> Result<(Range<usize>, u64), Problem> {
    let end = last_end(bytes)
        .ok_or_else(|| damaged(bytes.len(), "a zip file must end with its directory; there is none"))?;
    let outside = || damaged(end, "the directory of a zip file must lie inside it, in one part");
    let short = claims(&bytes[end..]).ok_or_else(outside)?;
    let locator = end.checked_sub(LOCATOR_64_LENGTH).filter(|&at| bytes[at..].starts_with(LOCATOR_64));
    let (limit, [part, first_part, records, size, first]) = match locator {
        None => (end, short),
        Some(locator) => {
            let (at, wide) = claims_64(bytes, locator).ok_or_else(outside)?;
            if (0..5).any(|field| short[field] != UNSET[field] && short[field] != wide[field]) {
                return Err(damaged(at, "both end records of a zip file must agree; they do not"));
            }
            (at, wide)
        }
    };
    let span = || {
        let first = usize::try_from(first).ok()?;
        Some(first..first.checked_add(usize::try_from(size).ok()?)?)
    };
    match span() {
        Some(span) if span.end <= limit && (part, first_part) == (0, 0) => Ok((span, records)),
        _ => Err(outside()),
    }
}

/// Where the end record is: the last one whose comment reaches the end of the file.
fn last_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_LENGTH)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|&at| {
        bytes[at..].starts_with(END)
            && u16_at(bytes, at + 20)
                .is_some_and(|comment| at + END_LENGTH + usize::from(comment) == bytes.len())
    })
}

/// Claims of an end record: the part of the archive, that of the directory, and its records, size and first byte.
fn claims(record: &[u8]) -> Option<[u64; 5]> {
    let (short, long) =
        (|at| Some(u64::from(u16_at(record, at)?)), |at| Some(u64::from(u32_at(record, at)?)));
    Some([short(4)?, short(6)?, short(10)?, long(12)?, long(16)?])
}

/// The same of the wide end record, and where that is.
fn claims_64(bytes: &[u8], locator: usize) -> Option<(usize, [u64; 5])> {
    let at = usize::try_from(u64_at(bytes, locator + 8)?).ok()?;
    let record = bytes.get(at..locator).filter(|record| record.starts_with(END_64))?;
    let part = |at| Some(u64::from(u32_at(record, at)?));
    Some((at, [part(16)?, part(20)?, u64_at(record, 32)?, u64_at(record, 40)?, u64_at(record, 48)?]))
}

/// The member whose record begins at this byte, and where the next record does.
fn member<'a>(bytes: &'a [u8], at: usize, directory: &Range<usize>) -> Result<(Member<'a>, usize), Problem> {
    let record = Record::parse(&bytes[..directory.end], at).ok_or_else(|| {
        damaged(at, "a record of a zip file's directory must be complete and lie inside it")
    })?;
    let name = std::str::from_utf8(record.name)
        .map_err(|_| damaged(at, "the name of a member of a zip file must be UTF-8 text"))?;
    let shown = shown(name);
    if record.flags & UNREADABLE != 0 {
        let problem =
            format!("the member '{shown}' must not be encrypted; it is. Write the file without a password.");
        return Err(Problem::at(at, problem));
    }
    let method = match record.method {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => {
            let problem = format!(
                "the member '{shown}' must be stored or deflated; its compression method is {other}. Write the file \
                 without compression."
            );
            return Err(Problem::at(at, problem));
        }
    };
    let Record { header, packed, unpacked, next, .. } = record;
    if method == Method::Stored && packed != unpacked {
        let problem = format!(
            "the stored member '{shown}' must have one size; the directory says {packed} and {unpacked} bytes"
        );
        return Err(damaged(at, &problem));
    }
    let before = &bytes[..directory.start];
    let start = data(before, &record).ok_or_else(|| {
        let problem = "must have a header before the directory that says what its record says; it has none";
        damaged(at, &format!("the member '{shown}' {problem}"))
    })?;
    let end = start.checked_add(packed).filter(|&end| end <= directory.start).ok_or_else(|| {
        let problem =
            format!("the {packed} bytes of the member '{shown}' must end before the directory; they do not");
        damaged(at, &problem)
    })?;
    Ok((Member { name, method, span: start..end, unpacked, header }, next))
}

/// The first byte of a member's data, if its local header has the method and the name of its record.
fn data(bytes: &[u8], record: &Record<'_>) -> Option<usize> {
    let local = bytes.get(record.header..)?;
    let name_end = LOCAL_LENGTH + usize::from(u16_at(local, 26)?);
    let agrees = local.starts_with(MAGIC)
        && u16_at(local, 8)? == record.method
        && local.get(LOCAL_LENGTH..name_end)? == record.name;
    // The extra field is the header's own, of another length than that of the record.
    agrees.then_some(record.header + name_end + usize::from(u16_at(local, 28)?))
}

/// The fields of a record.
struct Record<'a> {
    flags: u16,
    method: u16,
    name: &'a [u8],
    packed: usize,
    unpacked: usize,
    header: usize,
    next: usize,
}

impl<'a> Record<'a> {
    fn parse(bytes: &'a [u8], at: usize) -> Option<Self> {
        let record = bytes.get(at..)?;
        let name_end = RECORD_LENGTH + usize::from(u16_at(record, 28)?);
        let extra_end = name_end + usize::from(u16_at(record, 30)?);
        let next = extra_end + usize::from(u16_at(record, 32)?);
        if !record.starts_with(RECORD) || next > record.len() {
            return None;
        }
        // A field that is all ones has its value in the zip64 extra field, in this order.
        let mut wide = zip64(&record[name_end..extra_end]);
        let mut value = |short: u32| -> Option<usize> {
            if short != u32::MAX {
                return usize::try_from(short).ok();
            }
            let (value, rest) = wide.split_first_chunk::<8>()?;
            wide = rest;
            usize::try_from(u64::from_le_bytes(*value)).ok()
        };
        let unpacked = value(u32_at(record, 24)?)?;
        let packed = value(u32_at(record, 20)?)?;
        let header = value(u32_at(record, 42)?)?;
        Some(Self {
            flags: u16_at(record, 8)?,
            method: u16_at(record, 10)?,
            name: &record[RECORD_LENGTH..name_end],
            packed,
            unpacked,
            header,
            next: at + next,
        })
    }
}

/// The zip64 part of an extra field; empty if there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let end = 4 + usize::from(length);
        let Some(body) = extra.get(4..end) else { break };
        if kind == 1 {
            return body;
        }
        extra = &extra[end..];
    }
    &[]
}

fn check_names(members: &[Member<'_>], directory: usize) -> Result<(), Problem> {
    let mut names: Vec<&str> = members.iter().map(|member| member.name).collect();
    names.sort_unstable();
    let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) else { return Ok(()) };
    let problem = format!(
        "the name of a member must occur once; '{}' occurs twice. Write the file again with names that differ.",
        shown(pair[0])
    );
    Err(Problem::at(directory, problem))
}

/// Refuse members that share bytes: a small file would unpack to much.
fn check_overlap(members: &[Member<'_>]) -> Result<(), Problem> {
    let mut order: Vec<&Member<'_>> = members.iter().collect();
    order.sort_unstable_by_key(|member| (member.header, member.span.end));
    let Some(pair) = order.windows(2).find(|pair| pair[0].span.end > pair[1].header) else { return Ok(()) };
    let problem = format!(
        "the bytes of the member '{}' must be its own; those of another overlap them",
        shown(pair[0].name)
    );
    Err(damaged(pair[0].header, &problem))
}

fn damaged(at: usize, problem: &str) -> Problem {
    Problem::at(at, format!("{problem}. The zip file is cut or damaged: copy or write it again."))
}

#[cfg(test)]
pub(super) mod tests;
