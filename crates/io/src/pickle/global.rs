//! The names that a pickle of tensors may ask for. None is looked up anywhere: each stands for what is built here.

use tokenbed_core::DType;

/// How the elements of a storage are stored, and the type that holds them here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// PyTorch's name of the type: `int16`.
    pub name: &'static str,
    /// Size of an element in the file, in bytes.
    pub size: usize,
    /// The type of a tensor here; `None` if no tensor can hold the elements.
    pub dtype: Option<DType>,
}

/// A name that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`: a dictionary.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`, and the one before it, which takes fewer arguments.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`: the tensor that it is given.
    RebuildParameter,
    /// A class of storages.
    Storage(Element),
}

/// The classes of storages in `torch`, by name: the element's name, its size and its type here.
const STORAGES: [(&str, &str, usize, Option<DType>); 16] = [
    ("FloatStorage", "float32", 4, Some(DType::Float32)),
    ("DoubleStorage", "float64", 8, Some(DType::Float64)),
    ("HalfStorage", "float16", 2, Some(DType::Float16)),
    ("BFloat16Storage", "bfloat16", 2, Some(DType::BFloat16)),
    ("LongStorage", "int64", 8, Some(DType::Int64)),
    ("IntStorage", "int32", 4, Some(DType::Int32)),
    // Widened, as arrays of NumPy are.
    ("ShortStorage", "int16", 2, Some(DType::Int32)),
    ("CharStorage", "int8", 1, Some(DType::Int8)),
    ("ByteStorage", "uint8", 1, Some(DType::UInt8)),
    ("BoolStorage", "bool", 1, Some(DType::Bool)),
    ("ComplexFloatStorage", "complex64", 8, None),
    ("ComplexDoubleStorage", "complex128", 16, None),
    ("QUInt8Storage", "quint8", 1, None),
    ("QInt8Storage", "qint8", 1, None),
    ("QInt32Storage", "qint32", 4, None),
    ("QUInt4x2Storage", "quint4x2", 1, None),
];

impl Global {
    /// What a name stands for; `None` if it is not allowed.
    pub(super) fn of(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", class) => STORAGES
                .into_iter()
                .find(|(known, ..)| *known == class)
                .map(|(_, name, size, dtype)| Self::Storage(Element { name, size, dtype })),
            _ => None,
        }
    }
}
