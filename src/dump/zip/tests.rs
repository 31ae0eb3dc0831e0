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
        out.extend(MAGIC);
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
    members(bytes).unwrap_err().in_file("z").to_string()
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
        let found = members(&bytes).unwrap();
        let data: Vec<(&str, &[u8])> = found.iter().map(|m| (m.name, &bytes[m.span.clone()])).collect();
        assert_eq!(data, [("a.npy", &b"first"[..]), ("b", b"second")], "{style:?}");
    }
}

#[test]
fn a_comment_is_no_part_of_the_directory() {
    let mut bytes = archive(&[("a", false, b"x")], Style::default());
    let at = bytes.len() - 2;
    bytes[at] = 6;
    bytes.extend(b"PK\x05\x06!!");
    assert_eq!(members(&bytes).unwrap().len(), 1);
}

/// Where these bytes are for the last time.
fn last(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).rposition(|window| window == pattern).unwrap()
}

fn patched(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

#[test]
fn unsound_files_are_refused_in_these_words() {
    // Local header 30, name 1, extra 5, data 3: the record is at 39, and the end 46 + 1 behind it.
    let one = archive(&[("a", false, b"xyz")], Style::default());
    let changed = |at: usize, patch: &[u8]| patched(one.clone(), at, patch);
    let twice = archive(&[("a", false, b"x"), ("a", false, b"y")], Style::default());
    let folders = archive(&[("a/", false, b""), ("a/", false, b"")], Style::default());
    // Two members of 30 + 1 + 5 + 1 bytes, or 30 + 2 + 5: the directory begins at 74.
    for (bytes, message) in [
        (one[..one.len() - 1].to_vec(), "byte 107: a zip file must end with its directory; there is none."),
        (one[1..].to_vec(), "byte 85: the directory of a zip file must lie inside it, in one part."),
        (changed(86 + 4, &[1]), "byte 86: the directory of a zip file must lie inside it, in one part."),
        (changed(86 + 10, &[2]), "byte 86: the directory of a zip file must have 2 records; it has 1."),
        (
            changed(39, &[0]),
            "byte 39: a record of a zip file's directory must be complete and lie inside it.",
        ),
        (changed(39 + 46, &[0xff]), "byte 39: the name of a member of a zip file must be UTF-8 text."),
        (
            changed(39 + 8, &[1]),
            "byte 39: the member 'a' must not be encrypted; it is. Write the file without a password.",
        ),
        (
            changed(39 + 10, &[12]),
            "byte 39: the member 'a' must be stored or deflated; its compression method is 12.",
        ),
        (
            changed(39 + 24, &[4]),
            "byte 39: the stored member 'a' must have one size; the directory says 3 and 4 bytes.",
        ),
        (
            changed(39 + 20, &[4, 0, 0, 0, 4]),
            "byte 39: the 4 bytes of the member 'a' must end before the directory; they do not.",
        ),
        (twice, "byte 74: the name of a member must occur once; 'a' occurs twice."),
        (folders, "byte 74: the name of a member must occur once; 'a/' occurs twice."),
    ] {
        let (found, message) = (refusal(&bytes), format!("'z', {message}"));
        assert!(found.starts_with(&message), "{found}\n{message}");
    }
}

#[test]
fn a_header_says_what_its_record_says() {
    let bytes = archive(&[("a", false, b"xyz")], Style::default());
    let record = last(&bytes, RECORD);
    // Another method, another name, a longer one; and a record that leads elsewhere, or to the directory.
    for (at, patch) in
        [(8, b"\x08"), (30, b"q"), (26, b"\x02"), (record + 42, b"\x01"), (record + 42, b"\x27")]
    {
        let found = refusal(&patched(bytes.clone(), at, patch));
        let message = "'z', byte 39: the member 'a' must have a header before the directory that says what its record \
                       says; it has none.";
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn members_lie_apart() {
    // The second record leads to a header inside the data of the first member, a zip bomb's way to use bytes twice.
    let inner = archive(&[("b", false, b"1234")], Style::default());
    let outer = archive(&[("a", false, &inner), ("b", false, b"1234")], Style::default());
    let record = last(&outer, RECORD);
    let found = refusal(&patched(outer, record + 42, &[30 + 1 + 5]));
    assert!(
        found.starts_with(
            "'z', byte 0: the bytes of the member 'a' must be its own; those of another overlap them."
        ),
        "{found}"
    );
    // Or to the header of the first member itself.
    let same = archive(&[("a", false, b"x"), ("b", false, b"y")], Style::default());
    let record = last(&same, RECORD);
    let renamed = patched(patched(same, record + 42, &[0]), record + 46, b"a");
    assert!(refusal(&renamed).contains("'a' occurs twice"));
}

#[test]
fn both_end_records_agree() {
    // Records, size and first byte of the directory, and the parts: each is wrong if it is neither that of the wide
    // record nor all ones.
    let bytes = archive(&[("a", false, b"xyz")], Style { wide: true, ..Style::default() });
    let (end, wide) = (last(&bytes, END), last(&bytes, END_64));
    for (field, ones) in [(4, 2), (6, 2), (10, 2), (12, 4), (16, 4)] {
        let found = refusal(&patched(bytes.clone(), end + field, &[9]));
        let message = format!("'z', byte {wide}: both end records of a zip file must agree; they do not.");
        assert!(found.starts_with(&message), "{found}");
        assert!(members(&patched(bytes.clone(), end + field, &[0xff; 4][..ones])).is_ok());
    }
    // The locator leads nowhere, or the wide record speaks of a directory that reaches into itself.
    let locator = last(&bytes, LOCATOR_64);
    for (at, patch) in [(locator + 8, 1), (wide + 40, 200), (wide + 16, 1)] {
        let unset = patched(bytes.clone(), end + 4, &[0xff; 16]);
        let found = refusal(&patched(unset, at, &[patch]));
        let message =
            format!("'z', byte {end}: the directory of a zip file must lie inside it, in one part.");
        assert!(found.starts_with(&message), "{found}");
    }
}

#[test]
fn sizes_beyond_32_bits_are_in_the_zip64_field() {
    let bytes = archive(&[("a", false, b"xyz")], Style { wide: true, ..Style::default() });
    let field = last(&bytes, RECORD) + 46 + 1;
    // Another kind of field in its place; or one that is too short for all three numbers.
    for (at, patch) in [(field, 2), (field + 2, 16)] {
        let found = refusal(&patched(bytes.clone(), at, &[patch]));
        assert!(found.contains("a record of a zip file's directory must be complete"), "{found}");
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
        if let Ok(found) = members(&bytes) {
            prop_assert!(found.iter().all(|member| member.span.end <= bytes.len()));
            prop_assert!(found.iter().map(|member| member.span.len()).sum::<usize>() <= bytes.len());
        }
    }
}
