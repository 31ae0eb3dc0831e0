//! The types of numbers in PyTorch, by the names of their storages and of their dtypes.

use crate::Dtype;

/// Type of the numbers of a storage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// The class of typed storages, in module `torch`; none for types that came after them.
    storage: Option<&'static str>,
    /// The name in module `torch`.
    pub dtype: &'static str,
    /// Bytes of one number.
    pub size: usize,
    /// Fate of a tensor of them.
    pub fate: Fate,
}

/// Fate of a tensor of some type: read, or left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is read.
    Read(Dtype),
    /// It is no gradient: it is left out.
    LeaveOut,
    /// It might be one, in numbers that are not read: an error.
    Refuse,
}

const fn element(storage: &'static str, dtype: &'static str, size: usize, fate: Fate) -> Element {
    Element { storage: Some(storage), dtype, size, fate }
}

const fn late(dtype: &'static str, size: usize, fate: Fate) -> Element {
    Element { storage: None, dtype, size, fate }
}

static ELEMENTS: [Element; 24] = [
    element("FloatStorage", "float32", 4, Fate::Read(Dtype::F32)),
    element("DoubleStorage", "float64", 8, Fate::Read(Dtype::F64)),
    element("HalfStorage", "float16", 2, Fate::Read(Dtype::F16)),
    element("BFloat16Storage", "bfloat16", 2, Fate::Read(Dtype::Bf16)),
    element("Float8_e4m3fnStorage", "float8_e4m3fn", 1, Fate::Read(Dtype::F8E4M3)),
    element("Float8_e5m2Storage", "float8_e5m2", 1, Fate::Read(Dtype::F8E5M2)),
    element("LongStorage", "int64", 8, Fate::LeaveOut),
    element("IntStorage", "int32", 4, Fate::LeaveOut),
    element("ShortStorage", "int16", 2, Fate::LeaveOut),
    element("CharStorage", "int8", 1, Fate::LeaveOut),
    element("ByteStorage", "uint8", 1, Fate::LeaveOut),
    element("BoolStorage", "bool", 1, Fate::LeaveOut),
    late("uint16", 2, Fate::LeaveOut),
    late("uint32", 4, Fate::LeaveOut),
    late("uint64", 8, Fate::LeaveOut),
    element("ComplexFloatStorage", "complex64", 8, Fate::Refuse),
    element("ComplexDoubleStorage", "complex128", 16, Fate::Refuse),
    late("complex32", 4, Fate::Refuse),
    late("float8_e4m3fnuz", 1, Fate::Refuse),
    late("float8_e5m2fnuz", 1, Fate::Refuse),
    late("float8_e8m0fnu", 1, Fate::Refuse),
    element("QInt8Storage", "qint8", 1, Fate::Refuse),
    element("QUInt8Storage", "quint8", 1, Fate::Refuse),
    element("QInt32Storage", "qint32", 4, Fate::Refuse),
];

/// The numbers of a typed storage.
pub(super) fn of_storage(class: &str) -> Option<&'static Element> {
    ELEMENTS.iter().find(|element| element.storage == Some(class))
}

/// The numbers of a dtype.
pub(super) fn of_dtype(name: &str) -> Option<&'static Element> {
    ELEMENTS.iter().find(|element| element.dtype == name)
}
