//! The directory of a zip file: where each member's bytes are. Nothing is unpacked, and nothing is allocated on the
//! word of a header.

use super::format::{u16_at, u32_at, u64_at};
use crate::error::Error;

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
    /// The first byte of its (packed) data.
    pub offset: usize,
    /// Bytes in the file.
    pub packed: usize,
    /// Bytes once unpacked, as the directory claims.
    pub unpacked: usize,
    /// Of its local header, which comes before its data.
    header: usize,
}

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_64_LENGTH: usize = 20;
const RECORD: &[u8] = b"PK\x01\x02";
const RECORD_LENGTH: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LENGTH: usize = 30;

/// Flags of encrypted, patched and masked members.
const UNREADABLE: u16 = 0x0001 | 0x0020 | 0x0040 | 0x2000;

/// Where the directory is: its first byte, its end, and the number of its records.
struct Directory {
    first: usize,
    end: usize,
    records: usize,
}

/// All members but folders, in the order of the directory; their bytes do not overlap, and no name occurs twice.
pub(super) fn members<'a>(bytes: &'a [u8], file: &str) -> Result<Vec<Member<'a>>, Error> {
    let damaged = |offset, problem: &str| {
        let problem = format!("{problem}. The zip file is cut or damaged: copy or write it again.");
        Error::in_file(file, None, Some(offset), problem)
    };
    let end = last_end(bytes)
        .ok_or_else(|| damaged(bytes.len(), "a zip file must end with its directory; there is none"))?;
    let directory = directory(bytes, end)
        .ok_or_else(|| damaged(end, "the directory of a zip file must lie inside it, in one part"))?;
    let mut members = Vec::new();
    let mut at = directory.first;
    for _ in 0..directory.records {
        let (member, next) = record(&bytes[..directory.end], at, file)?;
        members.extend(member);
        at = next;
    }
    if at != directory.end {
        return Err(damaged(at, "the directory must end with its last record; more bytes follow"));
    }
    check_names(&members, file)?;
    check_overlap(&members, directory.first, file)?;
    Ok(members)
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

fn directory(bytes: &[u8], end: usize) -> Option<Directory> {
    let locator = end.checked_sub(LOCATOR_64_LENGTH).filter(|&at| bytes[at..].starts_with(LOCATOR_64));
    let (size, first, records, parts, limit) = if let Some(locator) = locator {
        let at = usize::try_from(u64_at(bytes, locator + 8)?).ok()?;
        if !bytes.get(at..locator)?.starts_with(END_64) {
            return None;
        }
        let parts = (u32_at(bytes, at + 16)?, u32_at(bytes, at + 20)?);
        let records = u64_at(bytes, at + 32)?;
        (u64_at(bytes, at + 40)?, u64_at(bytes, at + 48)?, records, parts, at)
    } else {
        let parts = (u32::from(u16_at(bytes, end + 4)?), u32::from(u16_at(bytes, end + 6)?));
        let records = u64::from(u16_at(bytes, end + 10)?);
        (u64::from(u32_at(bytes, end + 12)?), u64::from(u32_at(bytes, end + 16)?), records, parts, end)
    };
    let first = usize::try_from(first).ok()?;
    let stop = first.checked_add(usize::try_from(size).ok()?)?;
    let records = usize::try_from(records).ok()?;
    (parts == (0, 0) && stop <= limit).then_some(Directory { first, end: stop, records })
}

/// The member whose record begins at this byte, unless it is a folder, and where the next record begins.
fn record<'a>(bytes: &'a [u8], at: usize, file: &str) -> Result<(Option<Member<'a>>, usize), Error> {
    let damaged = |problem: &str| {
        let problem = format!("{problem}. The zip file is damaged: write it again.");
        Error::in_file(file, None, Some(at), problem)
    };
    let fields = Record::parse(bytes, at)
        .ok_or_else(|| damaged("a record of a zip file's directory must be complete and lie inside it"))?;
    let Ok(name) = std::str::from_utf8(fields.name) else {
        return Err(damaged("the name of a member of a zip file must be UTF-8 text"));
    };
    if name.ends_with('/') {
        return Ok((None, fields.next));
    }
    let refuse = |problem: String| Error::in_file(file, Some(name), Some(at), problem);
    if fields.flags & UNREADABLE != 0 {
        return Err(refuse("it must not be encrypted; it is. Write the file without a password.".to_owned()));
    }
    let method = match fields.method {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => {
            let problem = format!(
                "it must be stored or deflated; its compression method is {other}. Write it with numpy.savez or \
                 numpy.savez_compressed."
            );
            return Err(refuse(problem));
        }
    };
    // The local header repeats the name and has an extra field of its own, of another length.
    let local = bytes.get(fields.header..).filter(|rest| rest.starts_with(LOCAL));
    let (Some(packed), Some(unpacked), Some(offset)) =
        (fields.packed, fields.unpacked, local.and_then(|rest| data(rest, fields.header)))
    else {
        let problem = "its record must lead to its header inside the file; it does not. The zip file is damaged: \
                       write it again.";
        return Err(refuse(problem.to_owned()));
    };
    if offset.checked_add(packed).is_none_or(|end| end > bytes.len()) {
        let problem =
            format!("its {packed} bytes must lie inside the file. The file is cut: copy or write it again.");
        return Err(refuse(problem));
    }
    if method == Method::Stored && packed != unpacked {
        let problem = format!(
            "a stored member must have one size; the directory says {packed} and {unpacked} bytes. The zip file is \
             damaged: write it again."
        );
        return Err(refuse(problem));
    }
    Ok((Some(Member { name, method, offset, packed, unpacked, header: fields.header }), fields.next))
}

/// The first byte of a member's data, from its local header on.
fn data(local: &[u8], header: usize) -> Option<usize> {
    let skip = LOCAL_LENGTH + usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
    header.checked_add(skip)
}

/// The fields of a record; sizes beyond the range of memory are none.
struct Record<'a> {
    flags: u16,
    method: u16,
    name: &'a [u8],
    packed: Option<usize>,
    unpacked: Option<usize>,
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
        let mut value = |short: u32| -> Option<u64> {
            if short != u32::MAX {
                return Some(u64::from(short));
            }
            let (value, rest) = wide.split_first_chunk::<8>()?;
            wide = rest;
            Some(u64::from_le_bytes(*value))
        };
        let unpacked = value(u32_at(record, 24)?)?;
        let packed = value(u32_at(record, 20)?)?;
        let header = value(u32_at(record, 42)?)?;
        Some(Self {
            flags: u16_at(record, 8)?,
            method: u16_at(record, 10)?,
            name: &record[RECORD_LENGTH..name_end],
            packed: usize::try_from(packed).ok(),
            unpacked: usize::try_from(unpacked).ok(),
            header: usize::try_from(header).ok()?,
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

fn check_names(members: &[Member<'_>], file: &str) -> Result<(), Error> {
    let mut names: Vec<&str> = members.iter().map(|member| member.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let problem =
                "a name must occur once; this one occurs twice. Write the file again with names that differ.";
            Err(Error::in_file(file, Some(pair[0]), None, problem))
        }
    }
}

/// Refuse members that share bytes: a small file would unpack to much.
fn check_overlap(members: &[Member<'_>], end: usize, file: &str) -> Result<(), Error> {
    let mut order: Vec<&Member<'_>> = members.iter().collect();
    order.sort_by_key(|member| member.header);
    let starts = order.iter().skip(1).map(|member| member.header).chain([end]);
    for (member, next) in order.iter().zip(starts) {
        if member.offset + member.packed > next {
            let problem = "its bytes must be its own; they overlap what follows. The zip file is damaged or hostile: \
                           write it again.";
            return Err(Error::in_file(file, Some(member.name), Some(member.header), problem));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
