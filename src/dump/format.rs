//! Which format a file has: its first bytes decide, then its name.

use std::path::Path;

use super::bytes::u64_at;
use super::{safetensors, zip};

/// A format of gradient dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// One NumPy array.
    Npy,
    /// A zip file of NumPy arrays.
    Npz,
    /// PyTorch's `torch.save`.
    Torch,
    /// Numbers alone, described by a JSON file of the same name with `.json` behind it.
    Raw,
    /// Rows of tensors side by side, described by bergson's `info.json`.
    Bergson,
    /// No file: an array that the caller holds.
    Memory,
}

impl Format {
    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Torch => "torch",
            Self::Raw => "raw",
            Self::Bergson => "bergson",
            Self::Memory => "memory",
        }
    }

    /// The format of a file with these bytes and this name, which a JSON file describes as one of numbers alone or
    /// not; none if nothing tells.
    ///
    /// Numbers alone can look like anything: a description goes before the signatures that are short.
    pub(super) fn of(bytes: &[u8], path: &Path, described: Option<Self>) -> Option<Self> {
        let name = Self::of_name(path);
        Self::of_signature(bytes)
            .or_else(|| described.filter(|_| name.is_none()))
            .or_else(|| Self::of_short_signature(bytes))
            .or(name)
    }

    fn of_signature(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x93NUMPY") {
            return Some(Self::Npy);
        }
        if !bytes.starts_with(zip::MAGIC) && !bytes.starts_with(zip::END) {
            return None;
        }
        // A zip file that cannot be listed goes by its name, to the reader that says why.
        let members = zip::members(bytes).ok()?;
        let pickle = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
        Some(if members.iter().any(|member| pickle(member.name)) { Self::Torch } else { Self::Npz })
    }

    fn of_short_signature(bytes: &[u8]) -> Option<Self> {
        // Protocols 2 to 5 of a pickle: what PyTorch wrote before it wrote zip files.
        if matches!(bytes, [0x80, 2..=5, ..]) {
            return Some(Self::Torch);
        }
        let length = usize::try_from(u64_at(bytes, 0)?).ok()?;
        let header = length <= safetensors::LONGEST_HEADER.min(bytes.len() - safetensors::PREFIX);
        (header && bytes.get(safetensors::PREFIX) == Some(&b'{')).then_some(Self::Safetensors)
    }

    fn of_name(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "safetensors" => Self::Safetensors,
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "pt" | "pth" => Self::Torch,
            _ => return None,
        })
    }
}
