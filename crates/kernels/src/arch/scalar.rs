//! Plain Rust: the references themselves, without vectors.

use crate::isa::Isa;
use crate::ops::{bag, draw_normal, draw_uniform, embed, exp_rows, gather, gather_rows, layer_norm_grad};
use crate::ops::{mt19937, optim, pass, rotate, row_dots, row_mix, row_sum, scores, windows};
use crate::table::Kernels;

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Scalar,
    max_id: crate::ids::max_id_body_unchecked,
    gather: gather::reference,
    gather_rows: gather_rows::reference,
    bag: bag::reference,
    embed: embed::reference,
    rotate: rotate::reference,
    windows: windows::reference,
    row_sum: row_sum::reference,
    layer_norm_grad: layer_norm_grad::reference,
    mt19937_twist: mt19937::reference,
    draw_uniform: draw_uniform::reference,
    draw_normal: draw_normal::reference,
    row_dots: row_dots::reference,
    row_mix: row_mix::reference,
    exp_rows: exp_rows::reference,
    scores: scores::reference,
    pass: pass::reference,
    update_f32: optim::update_reference,
    update_f64: optim::update_reference,
    squares_f32: optim::sum_squares_reference,
    squares_f64: optim::sum_squares_reference,
    replay_f32: optim::replay::reference,
    replay_f64: optim::replay::reference,
};
