//! PyTorch files made by hand, for what PyTorch itself would not write.

use crate::dump::zip::tests::{self as zip, Part, Style};

/// A zip archive of stored members.
pub(super) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let parts: Vec<Part<'_>> = members.iter().map(|&(name, data)| (name, false, data)).collect();
    zip::archive(&parts, Style::default())
}

/// Where the pickle of `file` begins: after the first local header, its name and five bytes of an extra field.
pub(super) const PROGRAM: usize = 30 + "r/data.pkl".len() + 5;

/// A file of this pickle and these storages.
pub(super) fn file(program: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = storages.iter().map(|(key, _)| format!("r/data/{key}")).collect();
    let mut members = vec![("r/data.pkl", program)];
    members.extend(names.iter().zip(storages).map(|(name, (_, data))| (name.as_str(), *data)));
    archive(&members)
}

/// A pickle of protocol 2 around the instructions for one object.
pub(super) fn program(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"\x80\x02".to_vec(), parts.concat(), b".".to_vec()].concat()
}

pub(super) fn op(opcodes: &[u8]) -> Vec<u8> {
    opcodes.to_vec()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat()
}

/// An integer of 64 bits.
pub(super) fn int(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

pub(super) fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub(super) fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

pub(super) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"](".to_vec(), items.concat(), b"e".to_vec()].concat()
}

pub(super) fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<_> = items.iter().flat_map(|(key, value)| [text(key), value.clone()]).collect();
    [b"}(".to_vec(), items.concat(), b"u".to_vec()].concat()
}

pub(super) fn call(module: &str, name: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    [global(module, name), tuple(arguments), b"R".to_vec()].concat()
}

/// A storage of this class in module torch.
pub(super) fn storage(class: &str, key: &str, numel: i64) -> Vec<u8> {
    let items = [text("storage"), global("torch", class), text(key), text("cpu"), int(numel)];
    [tuple(&items), b"Q".to_vec()].concat()
}

/// A tensor of a storage, as today's PyTorch writes it.
pub(super) fn tensor(storage: Vec<u8>, offset: i64, size: &[i64], stride: &[i64]) -> Vec<u8> {
    let ints = |values: &[i64]| tuple(&values.iter().map(|&value| int(value)).collect::<Vec<_>>());
    let arguments = [
        storage,
        int(offset),
        ints(size),
        ints(stride),
        op(b"\x89"),
        call("collections", "OrderedDict", &[]),
    ];
    call("torch._utils", "_rebuild_tensor_v2", &arguments)
}

/// Consecutive numbers from 0.
pub(super) fn floats(count: u16) -> Vec<u8> {
    (0..count).flat_map(|value| f32::from(value).to_le_bytes()).collect()
}
