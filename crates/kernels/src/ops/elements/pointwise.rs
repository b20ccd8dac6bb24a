//! Elementwise operations: functions of one operand and their derivatives, arithmetic on two operands, and dropout.

use super::pass::pass;
use crate::dispatch::Kernels;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, numbers};
use crate::real::Real;

/// A function of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `max(x, 0)`; NaN stays NaN. `torch.relu`.
    Relu,
    /// `x * Phi(x)`, exact (erf), as `torch.nn.functional.gelu` without `approximate`. Hendrycks and Gimpel 2016.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The square root, rounded correctly; NaN below 0, and -0 stays.
    Sqrt,
}

impl Function {
    /// All functions.
    pub const ALL: [Function; 5] = [Function::Relu, Function::Gelu, Function::Tanh, Function::Sigmoid, Function::Sqrt];
}

/// `out = function(x)`, computed in f64 and rounded once.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Unary<'a, T> {
    pub function: Function,
    pub x: &'a [T],
    pub out: &'a mut [T],
}

/// `out = grad * function'`. The derivative is computed from `saved`, which is the operand for gelu and the result for
/// the others.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct UnaryBack<'a, T> {
    pub function: Function,
    pub saved: &'a [T],
    pub grad: &'a [T],
    pub out: &'a mut [T],
}

/// The function of an element. It is a trait because closures do not inherit the instruction set of the function they
/// are inlined into, if the compiler decides not to inline them.
trait Map {
    fn of<T: Real>(x: T) -> T;
    fn back<T: Real>(saved: T, grad: T) -> T;
}

struct Relu;
impl Map for Relu {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        if x < T::default() { T::default() } else { x }
    }
    #[inline(always)]
    fn back<T: Real>(y: T, grad: T) -> T {
        // As in PyTorch, the gradient passes where the result is NaN.
        if y <= T::default() { T::default() } else { grad }
    }
}

struct Gelu;
impl Map for Gelu {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        let x = x.wide();
        T::round(x * T::phi(x))
    }
    #[inline(always)]
    fn back<T: Real>(x: T, grad: T) -> T {
        let x = x.wide();
        let density = T::exp(-0.5 * x * x) * DENSITY;
        T::round(grad.wide() * x.mul_add(density, T::phi(x)))
    }
}

/// `1 / sqrt(2 pi)`: the density of the normal distribution at 0.
const DENSITY: f64 = 0.3989422804014327;

struct Tanh;
impl Map for Tanh {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        T::round(T::tanh(x.wide()))
    }
    #[inline(always)]
    fn back<T: Real>(y: T, grad: T) -> T {
        let y = y.wide();
        T::round(grad.wide() * (1.0 - y * y))
    }
}

struct Sigmoid;
impl Map for Sigmoid {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        T::round(1.0 / (1.0 + T::exp(-x.wide())))
    }
    #[inline(always)]
    fn back<T: Real>(y: T, grad: T) -> T {
        let y = y.wide();
        T::round(grad.wide() * (y * (1.0 - y)))
    }
}

struct Sqrt;
impl Map for Sqrt {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        x.sqrt()
    }
    #[inline(always)]
    fn back<T: Real>(y: T, grad: T) -> T {
        // 0.5 / sqrt(x), as PyTorch computes it: doubling the result is exact, so this rounds once.
        grad / (y + y)
    }
}

#[inline(always)]
fn map<T: Real, M: Map>(x: &[T], out: &mut [T]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = M::of(x);
    }
}

#[inline(always)]
fn map_back<T: Real, M: Map>(saved: &[T], grad: &[T], out: &mut [T]) {
    for ((out, &saved), &grad) in out.iter_mut().zip(saved).zip(grad) {
        *out = M::back(saved, grad);
    }
}

pass!(
    /// A function of each element.
    unary: Unary, unary
);

#[inline(always)]
fn unary<T: Real>(Unary { function, x, out }: Unary<'_, T>) {
    match function {
        Function::Relu => map::<T, Relu>(x, out),
        Function::Gelu => map::<T, Gelu>(x, out),
        Function::Tanh => map::<T, Tanh>(x, out),
        Function::Sigmoid => map::<T, Sigmoid>(x, out),
        Function::Sqrt => map::<T, Sqrt>(x, out),
    }
}

pass!(
    /// The backward pass of a function.
    unary_back: UnaryBack, unary_back
);

#[inline(always)]
fn unary_back<T: Real>(UnaryBack { function, saved, grad, out }: UnaryBack<'_, T>) {
    match function {
        Function::Relu => map_back::<T, Relu>(saved, grad, out),
        Function::Gelu => map_back::<T, Gelu>(saved, grad, out),
        Function::Tanh => map_back::<T, Tanh>(saved, grad, out),
        Function::Sigmoid => map_back::<T, Sigmoid>(saved, grad, out),
        Function::Sqrt => map_back::<T, Sqrt>(saved, grad, out),
    }
}

/// Arithmetic on two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

impl Arithmetic {
    /// All operations.
    pub const ALL: [Arithmetic; 4] = [Arithmetic::Add, Arithmetic::Sub, Arithmetic::Mul, Arithmetic::Div];
}

/// An operand: as many elements as there are results, or a single one for all.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Side<'a, T> {
    Each(&'a [T]),
    One(T),
}

/// `out = a op b`.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Binary<'a, T> {
    pub op: Arithmetic,
    pub a: Side<'a, T>,
    pub b: Side<'a, T>,
    pub out: &'a mut [T],
}

/// [`Map`] for two operands.
trait Two {
    fn of<T: Real>(a: T, b: T) -> T;
}

macro_rules! two {
    ($($name:ident $op:tt),*) => {$(
        struct $name;
        impl Two for $name {
            #[inline(always)]
            fn of<T: Real>(a: T, b: T) -> T {
                a $op b
            }
        }
    )*};
}
two!(Sum +, Difference -, Product *, Quotient /);

#[inline(always)]
fn zip<T: Real, F: Two>(a: Side<'_, T>, b: Side<'_, T>, out: &mut [T]) {
    match (a, b) {
        (Side::Each(a), Side::Each(b)) => {
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *out = F::of(a, b);
            }
        }
        (Side::Each(a), Side::One(b)) => {
            for (out, &a) in out.iter_mut().zip(a) {
                *out = F::of(a, b);
            }
        }
        (Side::One(a), Side::Each(b)) => {
            for (out, &b) in out.iter_mut().zip(b) {
                *out = F::of(a, b);
            }
        }
        (Side::One(a), Side::One(b)) => out.fill(F::of(a, b)),
    }
}

pass!(
    /// Arithmetic on two operands.
    binary: Binary, binary
);

#[inline(always)]
fn binary<T: Real>(Binary { op, a, b, out }: Binary<'_, T>) {
    match op {
        Arithmetic::Add => zip::<T, Sum>(a, b, out),
        Arithmetic::Sub => zip::<T, Difference>(a, b, out),
        Arithmetic::Mul => zip::<T, Product>(a, b, out),
        Arithmetic::Div => zip::<T, Quotient>(a, b, out),
    }
}

/// `out[i] = x[i] * (scale where bit i of kept is set, else 0)`; bit i of element i is bit `i mod 8` of byte `i / 8`.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Dropout<'a, T> {
    pub scale: T,
    pub kept: &'a [u8],
    pub x: &'a [T],
    pub out: &'a mut [T],
}

pass!(
    /// Keeps and scales some elements, and multiplies the others by zero.
    dropout: Dropout, dropout
);

#[inline(always)]
fn dropout<T: Real>(Dropout { scale, kept, x, out }: Dropout<'_, T>) {
    for ((out, x), &bits) in out.chunks_mut(8).zip(x.chunks(8)).zip(kept) {
        for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
            // Both cases are products, as in PyTorch, so that NaN and infinity remain visible.
            *out = x * if bits >> i & 1 == 1 { scale } else { T::default() };
        }
    }
}

pub(crate) const UNARY: Probe = Probe { name: "unary", line: "functions", sizes: &[1000], run: probe_unary };

pub(crate) const UNARY_BACK: Probe =
    Probe { name: "unary_back", line: "gradients", sizes: &DIMS, run: probe_unary_back };

pub(crate) const BINARY: Probe = Probe { name: "binary", line: "passes", sizes: &DIMS, run: probe_binary };

pub(crate) const DROPOUT: Probe = Probe { name: "dropout", line: "passes", sizes: &DIMS, run: probe_dropout };

fn probe_unary(kernels: Kernels, len: usize, results: &mut Results) {
    // Values from -8 to 8, beyond which the functions are flat. Square roots get magnitudes only, because processors
    // differ in the sign of a NaN.
    let signed: Vec<f32> = numbers(len, 79).into_iter().map(|x| x * 8.0).collect();
    let magnitudes: Vec<f32> = signed.iter().map(|x| x.abs()).collect();
    for function in Function::ALL {
        let x = if function == Function::Sqrt { &magnitudes } else { &signed };
        let mut out = Framed::room(len);
        kernels.unary(Unary { function, x, out: &mut out });
        results.take(&out);
    }
}

fn probe_unary_back(kernels: Kernels, dim: usize, results: &mut Results) {
    let [saved, grad] = [131, 137].map(|seed| numbers(ROWS * dim, seed));
    for function in Function::ALL {
        let mut out = Framed::room(saved.len());
        kernels.unary_back(UnaryBack { function, saved: &saved, grad: &grad, out: &mut out });
        results.take(&out);
    }
}

fn probe_binary(kernels: Kernels, dim: usize, results: &mut Results) {
    let [x, y] = [113, 127].map(|seed| numbers(ROWS * dim, seed));
    for op in Arithmetic::ALL {
        for b in [Side::Each(&y[..]), Side::One(1.5)] {
            let mut out = Framed::room(x.len());
            kernels.binary(Binary { op, a: Side::Each(&x), b, out: &mut out });
            results.take(&out);
        }
    }
}

fn probe_dropout(kernels: Kernels, dim: usize, results: &mut Results) {
    let x = numbers(ROWS * dim, 113);
    let kept: Vec<u8> = (0..x.len().div_ceil(8)).map(|i| (i * 37 % 251) as u8).collect();
    let mut out = Framed::room(x.len());
    kernels.dropout(Dropout { scale: 2.5, kept: &kept, x: &x, out: &mut out });
    results.take(&out);
}
