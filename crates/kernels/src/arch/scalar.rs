//! Plain Rust: the references themselves, without vectors.

use crate::dispatch::Kernels;
use crate::isa::Isa;
use crate::ops::draw::{draw_normal, draw_uniform, mt19937};
use crate::ops::elements::pass;
use crate::ops::learn::{layer_norm_grad, optim, row_sum};
use crate::ops::lookup::{bag, embed, gather, gather_rows};
use crate::ops::positions::{rotate, windows};
use crate::ops::products::{exp_rows, row_dots, row_mix, scores};

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
