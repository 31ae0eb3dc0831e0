//! Zip files made by hand, sound and unsound.

use proptest::prelude::*;

use super::*;

/// A member to be packed: its name, whether to deflate it, and its bytes.
pub(in crate::dump) type Part<'a> = (&'a str, bool, &'a [u8]);

/// How a zip file is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::dump) struct Style {
    /// Sizes, offsets and the directory in 64 bits.
    pub wide: bool,
    /// Sizes behind the data, as writers to a pipe put them.
    pub late: bool,
    pub flags: u16,
}

fn put(out: &mut Vec<u8>, fields: &[(u64, usize)]) {
    for (value, width) in fields {
        out.extend(&value.to_le_bytes()[..*width]);
    }
}

/// A zip file of these members.
pub(in crate::dump) fn archive(parts: &[Part<'_>], style: Style) -> Vec<u8> {
    use std::io::Write;
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, deflate, bytes) in parts {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        let packed = if *deflate { packer.finish().unwrap() } else { bytes.to_vec() };
        let method = if *deflate { 8 } else { 0 };
        let flags = u64::from(style.flags) | if style.late { 8 } else { 0 };
        let (header, name_length) = (out.len() as u64, name.len() as u64);
        let sizes = [packed.len() as u64, bytes.len() as u64];
        let local = if style.late { [0, 0] } else { sizes };
        out.extend(LOCAL);
        put(&mut out, &[(20, 2), (flags, 2), (method, 2), (0, 8), (local[0], 4), (local[1], 4)]);
        // An extra field of five bytes, which the directory does not repeat.
        put(&mut out, &[(name_length, 2), (5, 2)]);
        out.extend(name.as_bytes());
        put(&mut out, &[(0xcafe, 2), (1, 2), (0, 1)]);
        out.extend(&packed);
        if style.late {
            put(&mut out, &[(0x0807_4b50, 4), (0, 4), (sizes[0], 4), (sizes[1], 4)]);
        }
        directory.extend(RECORD);
        put(&mut directory, &[(20, 2), (20, 2), (flags, 2), (method, 2), (0, 8)]);
        let all_ones = u64::from(u32::MAX);
        let short = if style.wide { [all_ones; 3] } else { [sizes[0], sizes[1], header] };
        put(&mut directory, &[(short[0], 4), (short[1], 4), (name_length, 2)]);
        put(&mut directory, &[(if style.wide { 28 } else { 0 }, 2), (0, 2), (0, 8), (short[2], 4)]);
        directory.extend(name.as_bytes());
        if style.wide {
            put(&mut directory, &[(1, 2), (24, 2), (sizes[1], 8), (sizes[0], 8), (header, 8)]);
        }
    }
    let (first, length, count) = (out.len() as u64, directory.len() as u64, parts.len() as u64);
    out.extend(directory);
    let end_64 = out.len() as u64;
    if style.wide {
        out.extend(END_64);
        put(&mut out, &[(44, 8), (45, 2), (45, 2), (0, 8), (count, 8), (count, 8), (length, 8), (first, 8)]);
        out.extend(LOCATOR_64);
        put(&mut out, &[(0, 4), (end_64, 8), (1, 4)]);
    }
    out.extend(END);
    put(&mut out, &[(0, 4), (count, 2), (count, 2), (length, 4), (first, 4), (0, 2)]);
    out
}

fn refusal(bytes: &[u8]) -> String {
    members(bytes, "z").unwrap_err().to_string()
}

#[test]
fn every_style_of_writing_leads_to_the_same_bytes() {
    let parts: [Part<'_>; 3] = [("a.npy", false, b"first"), ("folder/", false, b""), ("b", false, b"second")];
    for style in [
        Style::default(),
        Style { wide: true, ..Style::default() },
        Style { late: true, ..Style::default() },
        Style { wide: true, late: true, flags: 0x800 },
    ] {
        let bytes = archive(&parts, style);
        let found = members(&bytes, "z").unwrap();
        let data: Vec<(&str, &[u8])> =
            found.iter().map(|m| (m.name, &bytes[m.offset..m.offset + m.packed])).collect();
        assert_eq!(data, [("a.npy", &b"first"[..]), ("b", b"second")], "{style:?}");
    }
}

#[test]
fn a_comment_is_no_part_of_the_directory() {
    let mut bytes = archive(&[("a", false, b"x")], Style::default());
    let at = bytes.len() - 2;
    bytes[at] = 6;
    bytes.extend(b"PK\x05\x06!!");
    assert_eq!(members(&bytes, "z").unwrap().len(), 1);
}

#[test]
fn unsound_files_are_refused_in_these_words() {
    let one = archive(&[("a", false, b"xyz")], Style::default());
    // Local header 30, name 1, extra 5, data 3: the directory begins at 39, its record's fields at 39 + their place.
    let changed = |at: usize, value: u8| {
        let mut bytes = one.clone();
        bytes[39 + at] = value;
        bytes
    };
    let twice = archive(&[("a", false, b"x"), ("a", false, b"y")], Style::default());
    let mut shared = archive(&[("a", false, b"x"), ("b", false, b"y")], Style::default());
    // The record of 'b', 47 bytes after that of 'a', leads to the header of 'a'.
    let first = 2 * (30 + 1 + 5 + 1);
    shared[first + 47 + 42] = 0;
    let cases = [
        (
            one[..one.len() - 1].to_vec(),
            "'z', byte 107: a zip file must end with its directory; there is none.",
        ),
        (one[1..].to_vec(), "'z', byte 85: the directory of a zip file must lie inside it, in one part."),
        (
            changed(0, 0),
            "'z', byte 39: a record of a zip file's directory must be complete and lie inside it.",
        ),
        (
            changed(8, 1),
            "'z', tensor 'a', byte 39: it must not be encrypted; it is. Write the file without a password.",
        ),
        (
            changed(10, 12),
            "'z', tensor 'a', byte 39: it must be stored or deflated; its compression method is 12.",
        ),
        (
            changed(42, 1),
            "'z', tensor 'a', byte 39: its record must lead to its header inside the file; it does not.",
        ),
        (
            changed(24, 4),
            "'z', tensor 'a', byte 39: a stored member must have one size; the directory says 3 and 4 bytes.",
        ),
        (changed(22, 9), "'z', tensor 'a', byte 39: its 589827 bytes must lie inside the file."),
        (changed(46, 0xff), "'z', byte 39: the name of a member of a zip file must be UTF-8 text."),
        (twice, "'z', tensor 'a': a name must occur once; this one occurs twice."),
        (shared, "'z', tensor 'a', byte 0: its bytes must be its own; they overlap what follows."),
    ];
    for (bytes, message) in cases {
        let found = refusal(&bytes);
        assert!(found.starts_with(message), "{found}\n{message}");
    }
}

proptest! {
    #[test]
    fn a_changed_or_cut_file_is_refused_or_stays_inside_itself(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in any::<prop::sample::Index>(),
        wide in any::<bool>(),
        whole in any::<bool>(),
    ) {
        let style = Style { wide, ..Style::default() };
        let mut bytes = archive(&[("a", false, b"first"), ("b", true, b"second")], style);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(found) = members(&bytes, "z") {
            prop_assert!(found.iter().all(|member| member.offset + member.packed <= bytes.len()));
            prop_assert!(found.iter().map(|member| member.packed).sum::<usize>() <= bytes.len());
        }
    }
}
