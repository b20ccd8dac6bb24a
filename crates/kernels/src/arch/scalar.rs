//! Plain Rust: the references themselves, without vectors.

use crate::isa::Isa;
use crate::ops::{gather, gather_add};
use crate::table::Kernels;

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Scalar,
    max_id: crate::ids::max_id_body_unchecked,
    gather: gather::reference,
    gather_add: gather_add::reference,
};
