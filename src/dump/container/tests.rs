//! Files on a disk: which format they have, and that any thread gets the same bytes.

use super::super::convert::to_f64;
use super::super::zip;
use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn open(name: &str, void_dtype: Option<Dtype>) -> Result<Container, Error> {
    Container::open(format!("{FIXTURES}/{name}").as_ref(), &Options { void_dtype })
}

fn values(container: &Container, index: usize) -> Vec<f64> {
    to_f64(container.contents().entries[index].dtype, container.data(index).unwrap())
}

/// -3, -2.5, …, 2.5: what `make.py` put into each file.
fn written() -> Vec<f64> {
    (-6..6).map(|i| f64::from(i) / 2.0).collect()
}

#[test]
fn numpy_files_hold_what_numpy_put_in() {
    for (name, void) in [
        ("float16", None),
        ("float32", None),
        ("float64", None),
        ("column_major", None),
        ("bfloat16", Some(Dtype::Bf16)),
        ("float8_e4m3fn", Some(Dtype::F8E4M3)),
        ("float8_e5m2", Some(Dtype::F8E5M2)),
    ] {
        let container = open(&format!("numpy/{name}.npy"), void).unwrap();
        assert_eq!(container.format(), Format::Npy);
        assert_eq!(container.contents().entries[0].shape, [4, 3]);
        assert_eq!(values(&container, 0), written(), "{name}");
    }
    assert_eq!(values(&open("numpy/scalar.npy", None).unwrap(), 0), [1.5]);
    assert!(values(&open("numpy/empty.npy", None).unwrap(), 0).is_empty());
    for name in ["int64", "structured", "objects"] {
        assert_eq!(open(&format!("numpy/{name}.npy"), None).unwrap().contents().skipped[0].0, name);
    }
    assert!(open("numpy/big_endian.npy", None).err().unwrap().to_string().contains("must be little-endian"));
}

#[test]
fn numpy_archives_hold_what_numpy_put_in() {
    for name in ["stored", "deflated"] {
        let container = open(&format!("numpy/{name}.npz"), None).unwrap();
        assert_eq!(container.format(), Format::Npz);
        let names: Vec<&str> = container.contents().entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["plain", "layer.weight", "scalar", "empty"]);
        assert_eq!(container.contents().skipped[0].0, "step");
        assert_eq!((values(&container, 0), values(&container, 1)), (written(), written()), "{name}");
        assert_eq!((values(&container, 2), values(&container, 3)), (vec![-0.5], vec![]));
    }
}

#[test]
fn threads_share_one_copy() {
    let container = open("numpy/deflated.npz", None).unwrap();
    let places: Vec<*const u8> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            (0..8).map(|_| scope.spawn(|| container.data(0).unwrap().as_ptr() as usize)).collect();
        asked.into_iter().map(|thread| thread.join().unwrap() as *const u8).collect()
    });
    assert!(places.iter().all(|&place| place == places[0]));
}

/// Column-major and packed: unpacked in chunks, then written row-major.
fn packed(numbers: &[u8]) -> Container {
    let array = npy::tests::file("'<f4'", true, &format!("(2, {})", numbers.len() / 8), numbers);
    let bytes = zip::tests::archive(&[("w.npy", true, &array)], zip::tests::Style::default());
    let contents = npz::read(&bytes, "g.npz", None).unwrap();
    Container::new("g.npz".into(), Format::Npz, contents, Box::new(bytes)).unwrap()
}

#[test]
fn a_copy_can_be_stopped_at_any_write_and_asked_for_again() {
    // A million bytes: chunks of 2^18 bytes, less a header of 128 bytes in the first, then a box of 2 rows.
    let numbers: Vec<u8> =
        (0..u16::MAX).cycle().take(250_000).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    let container = packed(&numbers);
    let chunk = 1 << 18;
    let expected = [0, chunk - 128, 2 * chunk - 128, 3 * chunk - 128, 0];
    for (stop, _) in expected.iter().enumerate() {
        let mut heard = Vec::new();
        let outcome = container.prepare(0, &mut |done| {
            heard.push(done);
            heard.len() <= stop
        });
        assert_eq!((outcome, &heard[..]), (Err(Error::Stopped), &expected[..=stop]));
    }
    container.prepare(0, &mut |_| true).unwrap();
    // Row 0 has the even numbers, row 1 the odd ones.
    let found = values(&container, 0);
    assert_eq!(found[..2], [0.0, 2.0]);
    assert_eq!(found[125_000..125_002], [1.0, 3.0]);
}

#[test]
fn what_is_there_or_cannot_be_had_is_not_unpacked_again() {
    let asked = &mut |_| panic!("nothing is to be unpacked");
    let plain = open("numpy/float32.npy", None).unwrap();
    plain.prepare(0, asked).unwrap();
    let view = open("numpy/column_major.npy", None).unwrap();
    assert_eq!(view.prepare(0, &mut |_| false), Err(Error::Stopped));
    assert_eq!(values(&view, 0), written());
    view.prepare(0, asked).unwrap();
    // The stream ends four bytes after the end of the numbers.
    let array = npy::tests::file("'<f4'", false, "(2,)", &[0; 12]);
    let bytes = zip::tests::archive(&[("w.npy", true, &array)], zip::tests::Style::default());
    let record = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let mut lying = bytes;
    lying[record + 24] = u8::try_from(array.len() - 4).unwrap();
    let contents = npz::read(&lying, "g.npz", None).unwrap();
    let container = Container::new("g.npz".into(), Format::Npz, contents, Box::new(lying)).unwrap();
    let error = container.data(0).unwrap_err();
    assert!(error.to_string().contains("it must end with the last number; it goes on"), "{error}");
    assert_eq!(container.prepare(0, asked), Err(error));
}

/// A file of this name and these bytes, opened without further options.
fn written_as(name: &str, bytes: &[u8], sidecar: Option<&str>) -> Result<Container, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    if let Some(text) = sidecar {
        std::fs::write(super::sidecar(&path), text).unwrap();
    }
    Container::open(&path, &Options::default())
}

#[test]
fn content_decides_before_the_name() {
    let read = |name: &str| std::fs::read(format!("{FIXTURES}/{name}")).unwrap();
    for (fixture, format) in [
        ("safetensors/f32.safetensors", Format::Safetensors),
        ("numpy/float32.npy", Format::Npy),
        ("numpy/stored.npz", Format::Npz),
    ] {
        for name in ["dump", "dump.bin", "dump.pt"] {
            assert_eq!(written_as(name, &read(fixture), None).unwrap().format(), format);
        }
    }
    let refusal = written_as("g.safetensors", b"PK\x03\x04 cut", None).err().unwrap().to_string();
    assert!(refusal.contains("the length of the header must be"), "{refusal}");
    let refusal = written_as("g.npz", b"PK\x03\x04 cut", None).err().unwrap().to_string();
    assert!(refusal.contains("a zip file must end with its directory"), "{refusal}");
}

#[test]
fn numbers_alone_need_a_description() {
    let text = r#"{"dtype": "float16", "shape": [2]}"#;
    // The numbers look like the pickle that older PyTorch files begin with; the description decides.
    let container = written_as("g.bin", &[0x80, 2, 0, 0x3c], Some(text)).unwrap();
    assert_eq!(container.format(), Format::Raw);
    assert_eq!(values(&container, 0)[1], 1.0);
    let refusal = written_as("g.bin", &[0; 4], None).err().unwrap().to_string();
    assert!(
        refusal.contains("or numbers described by 'g.bin.json'; neither its first bytes nor its name tell"),
        "{refusal}"
    );
    let refusal = written_as("g.bin.json", text.as_bytes(), None).err().unwrap().to_string();
    assert!(refusal.contains("Name the file that it describes"), "{refusal}");
}

#[test]
fn an_empty_file_and_a_folder_are_refused() {
    let refusal = written_as("g.npy", &[], None).err().unwrap().to_string();
    assert!(refusal.contains("it must begin with NumPy's signature"), "{refusal}");
    let refusal = open("numpy", None).err().unwrap().to_string();
    assert!(refusal.contains("it must be a file; it is a folder"), "{refusal}");
}

#[test]
fn an_array_in_memory_must_lie_inside_its_buffer() {
    let entry = |shape| {
        vec![Entry { name: "w".into(), dtype: Dtype::F32, shape, location: Location::Plain { offset: 0 } }]
    };
    let bytes: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    let held = Container::from_buffer("array".into(), entry(vec![2]), Box::new(bytes.clone())).unwrap();
    assert_eq!((held.format(), values(&held, 0)), (Format::Memory, vec![1.0, 2.0]));
    let refusal =
        Container::from_buffer("array".into(), entry(vec![3]), Box::new(bytes)).err().unwrap().to_string();
    let words =
        "'array', tensor 'w': its shape [3] of float32 must lie inside the 8 bytes at hand; it does not.";
    assert!(refusal.starts_with(words), "{refusal}");
}
