//! The calls that a file may ask for. None is made: each is a way to lay out a tensor that the reader knows.

/// A call that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Function {
    /// `collections.OrderedDict()`: a dict.
    Dict,
    /// `torch.Size(tuple)`: the tuple.
    Size,
    /// A tensor over a typed storage: storage, offset, size, stride and nothing that matters.
    Tensor,
    /// A tensor over a typed storage, with flags for its gradient and for the meaning of its bits.
    TensorV2,
    /// A tensor over an untyped storage; its dtype is an argument.
    TensorV3,
    /// A parameter: a tensor and its flags.
    Parameter,
    /// A kind of tensor whose numbers are not plainly there.
    Other(&'static str),
}

impl Function {
    /// The call of this Python name, if it is one that may be asked for.
    pub fn by_name(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::Dict,
            ("torch", "Size") => Self::Size,
            ("torch._utils", "_rebuild_tensor") => Self::Tensor,
            ("torch._utils", "_rebuild_tensor_v2") => Self::TensorV2,
            ("torch._utils", "_rebuild_tensor_v3") => Self::TensorV3,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::Parameter,
            ("torch._utils", "_rebuild_qtensor") => Self::Other("quantized"),
            ("torch._utils", "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor")
            | ("torch.serialization", "_get_layout") => Self::Other("sparse"),
            ("torch._utils", "_rebuild_nested_tensor") => Self::Other("nested"),
            ("torch._utils", "_rebuild_meta_tensor_no_storage") => {
                Self::Other("without data (device 'meta')")
            }
            ("torch._utils", "_rebuild_wrapper_subclass") | ("torch._tensor", "_rebuild_from_type_v2") => {
                Self::Other("of a subclass or with attributes of its own")
            }
            (
                "torch._utils",
                "_rebuild_device_tensor_from_numpy" | "_rebuild_device_tensor_from_cpu_tensor",
            ) => Self::Other("of a device without a storage of its own"),
            _ => return None,
        })
    }
}
