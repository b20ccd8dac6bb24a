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
    /// `e^x`.
    Exp,
    /// The natural logarithm; -infinity at 0, NaN below.
    Log,
    /// `log(1 + x)`, accurate for small x; -infinity at -1, NaN below.
    Log1p,
    /// The absolute value.
    Abs,
    /// `log(1 / (1 + exp(-x)))`, without overflow. `torch.nn.functional.logsigmoid`.
    LogSigmoid,
}

impl Function {
    /// All functions.
    pub const ALL: [Function; 10] = [
        Function::Relu,
        Function::Gelu,
        Function::Tanh,
        Function::Sigmoid,
        Function::Sqrt,
        Function::Exp,
        Function::Log,
        Function::Log1p,
        Function::Abs,
        Function::LogSigmoid,
    ];
}

/// `out = function(x)`, computed in f64 and rounded once.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Unary<'a, T> {
    pub function: Function,
    pub x: &'a [T],
    pub out: &'a mut [T],
}

/// `out = grad * function'`. The derivative is computed from `saved`, which is the operand for gelu, the logarithms,
/// the absolute value and log-sigmoid, and the result for the others.
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

struct Exp;
impl Map for Exp {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        T::round(T::exp(x.wide()))
    }
    #[inline(always)]
    fn back<T: Real>(y: T, grad: T) -> T {
        grad * y
    }
}

struct Log;
impl Map for Log {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        T::round(T::log(x.wide()))
    }
    #[inline(always)]
    fn back<T: Real>(x: T, grad: T) -> T {
        grad / x
    }
}

struct Log1p;
impl Map for Log1p {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        T::round(T::log1p(x.wide()))
    }
    #[inline(always)]
    fn back<T: Real>(x: T, grad: T) -> T {
        grad / (x + T::ONE)
    }
}

struct Abs;
impl Map for Abs {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        x.abs()
    }
    #[inline(always)]
    fn back<T: Real>(x: T, grad: T) -> T {
        // As in PyTorch, the sign of 0 and of NaN is 0.
        let sign = if x > T::ZERO {
            T::ONE
        } else if x < T::ZERO {
            -T::ONE
        } else {
            T::ZERO
        };
        grad * sign
    }
}

struct LogSigmoid;
impl Map for LogSigmoid {
    #[inline(always)]
    fn of<T: Real>(x: T) -> T {
        let x = x.wide();
        let low = if x > 0.0 { 0.0 } else { x };
        T::round(low - T::log1p(T::exp(-x.abs())))
    }
    #[inline(always)]
    fn back<T: Real>(x: T, grad: T) -> T {
        T::round(grad.wide() * (1.0 / (1.0 + T::exp(x.wide()))))
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
        Function::Exp => map::<T, Exp>(x, out),
        Function::Log => map::<T, Log>(x, out),
        Function::Log1p => map::<T, Log1p>(x, out),
        Function::Abs => map::<T, Abs>(x, out),
        Function::LogSigmoid => map::<T, LogSigmoid>(x, out),
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
        Function::Exp => map_back::<T, Exp>(saved, grad, out),
        Function::Log => map_back::<T, Log>(saved, grad, out),
        Function::Log1p => map_back::<T, Log1p>(saved, grad, out),
        Function::Abs => map_back::<T, Abs>(saved, grad, out),
        Function::LogSigmoid => map_back::<T, LogSigmoid>(saved, grad, out),
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
    /// The larger one; NaN if either is NaN.
    Max,
    /// The smaller one; NaN if either is NaN.
    Min,
    /// `a` to the power of `b`, as C's `pow` has it.
    Pow,
    /// 1 if both are equal, else 0.
    Eq,
    /// 0 if both are equal, else 1.
    Ne,
    /// 1 if `a` is smaller, else 0.
    Lt,
    /// 1 if `a` is smaller or equal, else 0.
    Le,
}

impl Arithmetic {
    /// All operations.
    pub const ALL: [Arithmetic; 11] = [
        Arithmetic::Add,
        Arithmetic::Sub,
        Arithmetic::Mul,
        Arithmetic::Div,
        Arithmetic::Max,
        Arithmetic::Min,
        Arithmetic::Pow,
        Arithmetic::Eq,
        Arithmetic::Ne,
        Arithmetic::Lt,
        Arithmetic::Le,
    ];

    /// The result for two floats.
    #[inline(always)]
    pub fn of<T: Real>(self, a: T, b: T) -> T {
        match self {
            Arithmetic::Add => Sum::of(a, b),
            Arithmetic::Sub => Difference::of(a, b),
            Arithmetic::Mul => Product::of(a, b),
            Arithmetic::Div => Quotient::of(a, b),
            Arithmetic::Max => Larger::of(a, b),
            Arithmetic::Min => Smaller::of(a, b),
            Arithmetic::Pow => Power::of(a, b),
            Arithmetic::Eq => Equal::of(a, b),
            Arithmetic::Ne => Unequal::of(a, b),
            Arithmetic::Lt => Less::of(a, b),
            Arithmetic::Le => LessOrEqual::of(a, b),
        }
    }
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

macro_rules! comparisons {
    ($($name:ident $op:tt),*) => {$(
        struct $name;
        impl Two for $name {
            #[inline(always)]
            fn of<T: Real>(a: T, b: T) -> T {
                if a $op b { T::ONE } else { T::ZERO }
            }
        }
    )*};
}
comparisons!(Equal ==, Unequal !=, Less <, LessOrEqual <=);

struct Larger;
impl Two for Larger {
    #[inline(always)]
    fn of<T: Real>(a: T, b: T) -> T {
        // A number that is not equal to itself is NaN.
        #[allow(clippy::eq_op, reason = "finds NaN")]
        if a > b || a != a { a } else { b }
    }
}

struct Smaller;
impl Two for Smaller {
    #[inline(always)]
    fn of<T: Real>(a: T, b: T) -> T {
        #[allow(clippy::eq_op, reason = "finds NaN")]
        if a < b || a != a { a } else { b }
    }
}

struct Power;
impl Two for Power {
    #[inline(always)]
    fn of<T: Real>(a: T, b: T) -> T {
        T::round(T::pow(a.wide(), b.wide()))
    }
}

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
        Arithmetic::Max => zip::<T, Larger>(a, b, out),
        Arithmetic::Min => zip::<T, Smaller>(a, b, out),
        Arithmetic::Pow => zip::<T, Power>(a, b, out),
        Arithmetic::Eq => zip::<T, Equal>(a, b, out),
        Arithmetic::Ne => zip::<T, Unequal>(a, b, out),
        Arithmetic::Lt => zip::<T, Less>(a, b, out),
        Arithmetic::Le => zip::<T, LessOrEqual>(a, b, out),
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
    // Values from -8 to 8, beyond which the functions are flat. Square roots and logarithms get magnitudes only,
    // because processors differ in the sign of a NaN.
    let signed: Vec<f32> = numbers(len, 79).into_iter().map(|x| x * 8.0).collect();
    let magnitudes: Vec<f32> = signed.iter().map(|x| x.abs()).collect();
    for function in Function::ALL {
        let magnitude = matches!(function, Function::Sqrt | Function::Log | Function::Log1p);
        let x = if magnitude { &magnitudes } else { &signed };
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
    let magnitudes: Vec<f32> = x.iter().map(|x| x.abs()).collect();
    for op in Arithmetic::ALL {
        let x = if op == Arithmetic::Pow { &magnitudes } else { &x };
        for b in [Side::Each(&y[..]), Side::One(1.5)] {
            let mut out = Framed::room(x.len());
            kernels.binary(Binary { op, a: Side::Each(x), b, out: &mut out });
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
