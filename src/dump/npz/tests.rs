//! What is accepted, and what is refused with which words.

use proptest::prelude::*;

use super::super::convert::to_f64;
use super::super::npy::tests as one;
use super::super::zip::tests::{Style, archive};
use super::super::{Container, Format, layout};
use super::*;

/// The numbers 0.5 to 3.0 as a `.npy` file of shape (2, 3).
fn array(fortran_order: bool) -> Vec<u8> {
    let numbers: Vec<u8> = (1_u8..7).flat_map(|i| (f32::from(i) / 2.0).to_le_bytes()).collect();
    one::file("'<f4'", fortran_order, "(2, 3)", &numbers)
}

fn values(bytes: Vec<u8>, index: usize) -> Result<Vec<f64>, Error> {
    let contents = read(&bytes, "g.npz", None)?;
    let container = Container::new("g.npz".into(), Format::Npz, contents, Box::new(bytes))?;
    Ok(to_f64(Dtype::F32, container.data(index)?))
}

#[test]
fn stored_or_deflated_in_either_order_the_numbers_are_the_same() {
    for style in [Style::default(), Style { wide: true, late: true, flags: 0 }] {
        for deflate in [false, true] {
            let bytes =
                archive(&[("row.npy", deflate, &array(false)), ("column.npy", deflate, &array(true))], style);
            assert_eq!(values(bytes.clone(), 0).unwrap(), [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
            // Columns (0.5, 1.0), (1.5, 2.0), (2.5, 3.0).
            assert_eq!(values(bytes, 1).unwrap(), [0.5, 1.5, 2.5, 1.0, 2.0, 3.0]);
        }
    }
}

#[test]
fn other_members_are_left_out_by_name() {
    let steps = one::file("'<i8'", false, "()", &[7, 0, 0, 0, 0, 0, 0, 0]);
    let parts = [
        ("notes.txt", false, &b"hello"[..]),
        ("a/step.npy", true, &steps),
        ("a/w.npy", false, &array(false)),
    ];
    let contents = read(&archive(&parts, Style::default()), "g.npz", None).unwrap();
    assert_eq!(
        contents.skipped,
        [
            ("notes.txt".to_owned(), "no .npy member, which holds no array".to_owned()),
            ("a/step".to_owned(), "type <i8, which holds no gradients".to_owned()),
        ]
    );
    assert_eq!(contents.entries.len(), 1);
    assert_eq!(contents.entries[0].name, "a/w");
}

/// The directory's field at this place of the only record of a file, made one larger.
fn raised(mut bytes: Vec<u8>, field: usize) -> Vec<u8> {
    let at = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap() + field;
    bytes[at] += 1;
    bytes
}

#[test]
fn a_member_that_lies_is_refused_in_these_words() {
    let whole = array(false);
    let packed = archive(&[("w.npy", true, &whole)], Style::default());
    // The directory claims 153 bytes of which 128 are the header.
    assert_eq!(
        read(&raised(packed.clone(), 24), "g.npz", None).unwrap_err().to_string(),
        "'g.npz', tensor 'w', byte 40: the shape [2, 3] of float32 takes 24 bytes, after which the file must end; 25 \
         follow the header. Save each array in a file of its own, or all with numpy.savez."
    );
    let contents =
        read(&archive(&[("w.npy", true, &whole[..whole.len() - 4])], Style::default()), "g.npz", None);
    assert!(
        contents
            .unwrap_err()
            .to_string()
            .contains("takes 24 bytes, after which the file must end; 20 follow")
    );
    // 2^24 more bytes than a stream so short could hold.
    let mut bomb = packed;
    let at = bomb.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap() + 27;
    bomb[at] = 1;
    let refusal = read(&bomb, "g.npz", None).unwrap_err().to_string();
    assert!(refusal.contains("bytes cannot unpack to the 16777368 that the directory claims."), "{refusal}");
    let nonsense = archive(&[("w.npy", false, b"PK")], Style::default());
    assert_eq!(
        read(&nonsense, "g.npz", None).unwrap_err().to_string(),
        "'g.npz', tensor 'w', byte 40: it must begin with NumPy's signature; it does not. Write it with numpy.save."
    );
}

#[test]
fn a_stream_that_lies_is_refused_when_it_is_unpacked() {
    // Header and directory agree on 24 bytes of numbers; the stream has 20, or 28.
    for (numbers, words) in [
        (20, "it must unpack to 152 bytes; it ends after 148"),
        (28, "it must end with the last number; it goes on"),
    ] {
        let mut whole = array(false);
        whole.resize(128 + numbers, 0);
        let mut bytes = archive(&[("w.npy", true, &whole)], Style::default());
        let at = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap() + 24;
        bytes[at] = 152;
        let refusal = values(bytes, 0).unwrap_err().to_string();
        assert!(refusal.starts_with("'g.npz', tensor 'w', byte ") && refusal.contains(words), "{refusal}");
    }
}

proptest! {
    #[test]
    fn a_changed_file_is_refused_or_stays_inside_itself(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        deflate in any::<bool>(),
    ) {
        let mut bytes = archive(&[("a.npy", deflate, &array(false)), ("b.npy", deflate, &array(true))], Style::default());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(contents) = read(&bytes, "g.npz", None) {
            prop_assert!(contents.entries.iter().all(|entry| layout::fits(entry, bytes.len())));
            for index in 0..contents.entries.len() {
                let size = layout::size(&contents.entries[index]);
                if let Ok(numbers) = values(bytes.clone(), index) {
                    prop_assert_eq!(numbers.len() * 4, size - size % 4);
                }
            }
        }
    }
}
