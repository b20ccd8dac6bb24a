//! Plain Rust: the references themselves, without vectors.

use crate::isa::Isa;
use crate::ops::{adamw_dense, bag, draw_normal, draw_uniform, embed, exp_rows, gather, gather_rows};
use crate::ops::{mt19937, row_dots, row_mix, scores};
use crate::table::Kernels;

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Scalar,
    max_id: crate::ids::max_id_body_unchecked,
    gather: gather::reference,
    gather_rows: gather_rows::reference,
    bag: bag::reference,
    embed: embed::reference,
    mt19937_twist: mt19937::reference,
    draw_uniform: draw_uniform::reference,
    draw_normal: draw_normal::reference,
    row_dots: row_dots::reference,
    row_mix: row_mix::reference,
    exp_rows: exp_rows::reference,
    adamw_dense: adamw_dense::reference,
    scores: scores::reference,
};
