//! How the numbers of a gradient dump are stored.

/// The type of a stored number, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 8 bits, four of exponent, without infinities (OCP E4M3, "fn").
    F8E4M3,
    /// 8 bits, five of exponent.
    F8E5M2,
    /// IEEE half precision.
    F16,
    /// The upper half of a single-precision number.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl Dtype {
    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F8E4M3 => "float8_e4m3fn",
            Self::F8E5M2 => "float8_e5m2",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// The type of that name, or of NumPy's short name for it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "float8_e4m3fn" => Self::F8E4M3,
            "float8_e5m2" => Self::F8E5M2,
            "float16" | "f2" | "<f2" => Self::F16,
            "bfloat16" => Self::Bf16,
            "float32" | "f4" | "<f4" => Self::F32,
            "float64" | "f8" | "<f8" => Self::F64,
            _ => return None,
        })
    }

    /// Every name, for messages.
    pub(crate) const NAMES: &str = "float64, float32, float16, bfloat16, float8_e4m3fn and float8_e5m2";

    /// Bytes of one number.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F8E4M3 | Self::F8E5M2 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}
