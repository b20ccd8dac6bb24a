//! The part of the battery that training runs: positions, products of rows, the way back, and optimizers.
//!
//! What a rule's numbers are made of by roots and powers stands here as it is: those may differ between machines, and are no
//! part of a kernel.

use super::{DIMS, ROWS, bytes, each_dim, id_list, numbers};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::elements::along::{Entropy, EntropyBack, IGNORED, Scale, SoftmaxBack};
use tokenbed_kernels::ops::elements::norm_rows::{NormBack, NormRows};
use tokenbed_kernels::ops::elements::pointwise::{Arithmetic, Binary, Dropout, Function, Side, UnaryBack};
use tokenbed_kernels::ops::elements::thin::Thin;
use tokenbed_kernels::ops::elements::total::Total;
use tokenbed_kernels::ops::learn::optim::adagrad::Adagrad;
use tokenbed_kernels::ops::learn::optim::adam::Adam;
use tokenbed_kernels::ops::learn::optim::replay::Replay;
use tokenbed_kernels::ops::learn::optim::row_adagrad::RowAdagrad;
use tokenbed_kernels::ops::learn::optim::sgd::{Momentum, Sgd};
use tokenbed_kernels::ops::learn::optim::sparse_adam::SparseAdam;
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_kernels::ops::positions::rotate::{Pairs, Rotate};
use tokenbed_kernels::ops::positions::windows::Windows;
use tokenbed_kernels::ops::products::row_dots::Picked;
use tokenbed_kernels::ops::products::row_mix::Coefficients;
use tokenbed_kernels::real::Real;
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_kernels::rows::store::Store;

/// Rows of the kernels that take whole blocks of 16 elements alone.
const STRIDES: [usize; 3] = [16, 64, 112];

fn wide(values: &[f64]) -> impl Iterator<Item = u8> {
    values.iter().flat_map(|x| x.to_le_bytes())
}

pub(super) fn rotate(kernels: Kernels) -> Vec<u8> {
    let mut out = Vec::new();
    for (head_dim, dim) in [(2, 2), (16, 14), (64, 64), (85, 66)] {
        let angles = numbers(ROWS * dim, 89);
        let x: Vec<u8> = bytes(&numbers(ROWS * 3 * head_dim, 97)).collect();
        let cycle = Along::Cycle { offset: 0, length: ROWS, first: 0 };
        for (pairs, inverse) in Pairs::ALL.into_iter().flat_map(|pairs| [(pairs, false), (pairs, true)]) {
            let angles = Added { table: &angles, along: cycle };
            let of = Rotate { angles, heads: 3, head_dim, dim, pairs, inverse, format: OutFormat::Float32 };
            let mut result = vec![0; x.len()];
            kernels.rotate(&of, &x, &mut result);
            out.extend(result);
        }
    }
    out
}

pub(super) fn windows(kernels: Kernels) -> Vec<u8> {
    each_dim(|dim, out| {
        let (groups, rows) = (2, 9);
        let lines = numbers(groups * (rows + dim - 1), 101);
        let mut result = vec![0.0; (groups * rows - 3) * dim];
        kernels.windows(Store::Cached, &Windows { lines: &lines, rows, dim, first: 3 }, &mut result);
        out.extend(bytes(&result));
    })
}

/// Products of rows, sums of rows, and the exponentials of a softmax.
pub(super) fn products(kernels: Kernels) -> Vec<u8> {
    let ids = id_list();
    let (left, right) = (&ids[..7], &ids[7..18]);
    let mut out = Vec::new();
    for stride in STRIDES {
        let table = numbers(ROWS * stride, 103);
        let [a, b] = [left, right].map(|rows| Picked { table: &table, rows });
        let mut dots = vec![0.0; left.len() * right.len()];
        kernels.row_dots(a, b, stride, &mut dots);
        let mut sums = vec![0.0; left.len() * stride];
        let coefficients = Coefficients { values: &dots, across: right.len(), down: 1 };
        kernels.row_mix(coefficients, b, stride, &mut sums);
        let [mut powers, mut of_rows] = [table, vec![0.0; 2 * ROWS]];
        kernels.exp_rows(&mut powers, stride, &mut of_rows);
        out.extend([dots, sums, powers, of_rows].iter().flat_map(|values| bytes(values)));
    }
    out
}

pub(super) fn scores(kernels: Kernels) -> Vec<u8> {
    each_dim(|dim, out| {
        let [mut dots, mut squares] = [vec![0.0; ROWS], vec![0.0; ROWS]];
        kernels.scores(&numbers(ROWS * dim, 107), &numbers(dim, 109), &mut dots, &mut squares);
        out.extend(bytes(&dots).chain(bytes(&squares)));
    })
}

/// Elements with elements, dropout, sums, a vector by a matrix, normalized rows.
pub(super) fn passes(kernels: Kernels) -> Vec<u8> {
    each_dim(|dim, out| {
        let [x, y] = [113, 127].map(|seed| numbers(ROWS * dim, seed));
        let mut result = vec![0.0; x.len()];
        for op in Arithmetic::ALL {
            for b in [Side::Each(&y), Side::One(1.5)] {
                kernels.binary(Binary { op, a: Side::Each(&x), b, out: &mut result });
                out.extend(bytes(&result));
            }
        }
        let kept: Vec<u8> = (0..x.len().div_ceil(8)).map(|i| (i * 37 % 251) as u8).collect();
        kernels.dropout(Dropout { scale: 2.5, kept: &kept, x: &x, out: &mut result });
        out.extend(bytes(&result));
        let (weight, bias) = (Some(&y[..dim]), Some(&x[..dim]));
        kernels.norm_rows(NormRows { dim, eps: 1e-5, weight, bias, x: &x, out: &mut result });
        out.extend(bytes(&result));
        let mut total = 0.0;
        kernels.total(Total { x: &x, out: &mut total });
        out.extend(wide(&[total]));
        for (rows, inner) in [(true, ROWS), (false, dim)] {
            let mut result = vec![0.5; if rows { dim } else { ROWS }];
            let vector = &y[..inner];
            let (matrix, out_of) = (&x, &mut result);
            kernels.thin(Thin { vector, apart: 1, inner, matrix, rows, step: dim, add: true, out: out_of });
            out.extend(bytes(&result));
        }
    })
}

/// The way back through functions, softmax, cross entropy and normalized rows.
pub(super) fn gradients(kernels: Kernels) -> Vec<u8> {
    each_dim(|n, out| {
        let [x, grad] = [131, 137].map(|seed| numbers(ROWS * n, seed));
        let mut result = vec![0.0; x.len()];
        for function in Function::ALL {
            kernels.unary_back(UnaryBack { function, saved: &x, grad: &grad, out: &mut result });
            out.extend(bytes(&result));
        }
        for log in [false, true] {
            kernels.softmax_back(SoftmaxBack { log, n, y: &x, grad: &grad, out: &mut result });
            out.extend(bytes(&result));
        }
        let targets: Vec<u32> = (0..ROWS).map(|i| if i % 5 == 3 { IGNORED } else { (i % n) as u32 }).collect();
        let mut rows = vec![[0.0; 2]; ROWS];
        kernels.entropy(Entropy { n, logits: &x, targets: &targets, out: &mut rows });
        out.extend(wide(rows.as_flattened()));
        let (targets, rows, scale) = (&targets, &rows, Scale::One(0.7));
        kernels.entropy_back(EntropyBack { n, logits: &x, targets, rows, scale, out: &mut result });
        out.extend(bytes(&result));
        let (weight, mut sums) = (Some(&grad[..n]), vec![0.0; 2 * n]);
        let (x, grad, sums_of) = (&x, &grad, &mut sums);
        kernels.norm_back(NormBack { dim: n, eps: 1e-5, weight, x, grad, out: &mut result, sums: sums_of });
        out.extend(bytes(&result).chain(wide(&sums)));
    })
}

/// Adam's numbers of its seventh step.
fn adam<F: Real>(decay: f64, l2: f64, w1: f64) -> Adam<F> {
    let [decay, l2, w1, beta2, w2, size, root, eps] =
        [decay, l2, w1, 0.999, 0.001, 0.001_916_9, 0.083_462, 1e-8].map(F::round);
    Adam { decay, l2, w1, beta2, w2, size, root, eps }
}

fn rules<F: Real>() -> Vec<Update<F>> {
    let [lr, weight_decay, momentum, eps, w1, w2] = [0.1, 0.01, 0.9, 1e-8, 0.1, 0.001].map(F::round);
    let sgd = Sgd { lr, weight_decay };
    vec![
        Update::Sgd(sgd),
        Update::Momentum(Momentum { sgd, momentum, nesterov: false, first: false }),
        Update::Momentum(Momentum { sgd, momentum, nesterov: true, first: false }),
        Update::Adam(adam(0.999_99, 0.0, 0.1)),
        Update::Adam(adam(1.0, 0.01, 0.7)),
        Update::SparseAdam(SparseAdam { w1, w2, size: lr, eps }),
        Update::Adagrad(Adagrad { lr, eps, weight_decay }),
        Update::RowAdagrad(RowAdagrad { lr, eps }),
    ]
}

fn reals<F: Real>(count: usize, seed: u32) -> Vec<F> {
    numbers(count, seed).into_iter().map(|x| F::round(x.into())).collect()
}

/// Sums of squares, as second moments are: never less than 0.
fn squares<F: Real>(count: usize, seed: u32) -> Vec<F> {
    numbers(count, seed).into_iter().map(|x| F::round(f64::from(x) * f64::from(x))).collect()
}

fn exact<F: Real>(values: &[F]) -> impl Iterator<Item = u8> {
    values.iter().flat_map(|x| x.wide().to_le_bytes())
}

fn steps_of<F: Real>(kernels: Kernels) -> Vec<u8> {
    let mut out = Vec::new();
    for dim in DIMS {
        let grad = reals::<F>(dim, 139);
        for rule in rules::<F>() {
            let (first_len, second_len) = rule.state(dim);
            let signed = matches!(rule, Update::Momentum(_) | Update::Adam(_) | Update::SparseAdam(_));
            let mut param = reals::<F>(dim, 149);
            let mut first = if signed { reals(first_len, 151) } else { squares(first_len, 151) };
            let mut second = squares::<F>(second_len, 157);
            let slots = Slots { param: &mut param, grad: &grad, first: &mut first, second: &mut second };
            kernels.update(&rule, slots);
            out.extend([param, first, second].iter().flat_map(|values| exact(values)));
        }
        out.extend(wide(&[kernels.sum_squares(&grad)]));
    }
    out
}

/// A step by every rule, in both types, and the sum of squares that gradients are clipped by.
pub(super) fn steps(kernels: Kernels) -> Vec<u8> {
    [steps_of::<f32>(kernels), steps_of::<f64>(kernels)].concat()
}

fn replay_of<F: Real>(kernels: Kernels) -> Vec<u8> {
    let mut out = Vec::new();
    // So many that the first moment goes quiet on the way, and so few that it does not.
    for (dim, count) in DIMS.into_iter().flat_map(|dim| [(dim, 3), (dim, 400)]) {
        let steps = vec![adam::<F>(0.999_99, 0.0, 0.1); count];
        let [mut param, mut first] = [181, 191].map(|seed| reals::<F>(dim, seed));
        let mut second = squares::<F>(dim, 193);
        let (param_of, first_of, second_of) = (&mut param, &mut first, &mut second);
        kernels.replay(Replay { param: param_of, first: first_of, second: second_of, steps: &steps, fresh: false });
        out.extend([param, first, second].iter().flat_map(|values| exact(values)));
    }
    out
}

/// Steps of Adam that rows missed, in both types.
pub(super) fn replays(kernels: Kernels) -> Vec<u8> {
    [replay_of::<f32>(kernels), replay_of::<f64>(kernels)].concat()
}
