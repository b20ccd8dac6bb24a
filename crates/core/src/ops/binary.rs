//! Two operands, with broadcasting.

use super::Number;
use super::copy::{Layout, for_each_run};
use crate::{Error, Result};

/// The op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
}

impl Binary {
    /// All, in the order of their codes.
    pub const ALL: [Binary; 4] = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div];
}

/// An operand: elements and how they stand under the result's shape, stride 0 where they repeat.
pub type Operand<'a, T> = (&'a [T], Layout<'a>);

/// `out` (dense, of `shape`) = `a` op `b`, element by element.
///
/// # Errors
/// [`Error::Shape`] where an operand's layout leaves its buffer or `out` is of another size.
pub fn binary<T: Number>(
    op: Binary,
    shape: &[usize],
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: &mut [T],
) -> Result<()> {
    match op {
        Binary::Add => apply(shape, a, b, out, T::plus),
        Binary::Sub => apply(shape, a, b, out, T::minus),
        Binary::Mul => apply(shape, a, b, out, T::times),
        Binary::Div => apply(shape, a, b, out, T::over),
    }
}

#[inline(always)]
fn apply<T: Number>(
    shape: &[usize],
    (a, a_at): Operand<'_, T>,
    (b, b_at): Operand<'_, T>,
    out: &mut [T],
    f: impl Fn(T, T) -> T,
) -> Result<()> {
    a_at.check(shape, a.len())?;
    b_at.check(shape, b.len())?;
    if shape.iter().try_fold(1usize, |size, &n| size.checked_mul(n)) != Some(out.len()) {
        return Err(Error::Shape(format!("a result of {shape:?} does not fill {} elements", out.len())));
    }
    let n = shape.last().copied().unwrap_or(1);
    let step = |layout: Layout<'_>| layout.strides.last().copied().unwrap_or(1);
    let steps = (step(a_at), step(b_at));
    let mut at = 0;
    for_each_run(shape, [a_at, b_at], |[i, j]| {
        let out = &mut out[at..at + n];
        at += n;
        match steps {
            (1, 1) => out.iter_mut().zip(&a[i..i + n]).zip(&b[j..j + n]).for_each(|((out, &a), &b)| *out = f(a, b)),
            (1, 0) => out.iter_mut().zip(&a[i..i + n]).for_each(|(out, &a)| *out = f(a, b[j])),
            (0, 1) => out.iter_mut().zip(&b[j..j + n]).for_each(|(out, &b)| *out = f(a[i], b)),
            (p, q) => out.iter_mut().enumerate().for_each(|(k, out)| *out = f(a[i + k * p], b[j + k * q])),
        }
    });
    Ok(())
}
