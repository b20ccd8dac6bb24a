//! One operand, element by element.

use crate::{Error, Result};

/// The op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `max(x, 0)`; NaN stays. `torch.relu`.
    Relu,
    /// `x * Phi(x)`, exact (erf), as `torch.nn.functional.gelu` without `approximate`. Hendrycks and Gimpel 2016.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Unary {
    /// All, in the order of their codes.
    pub const ALL: [Unary; 4] = [Unary::Relu, Unary::Gelu, Unary::Tanh, Unary::Sigmoid];

    fn of(self) -> fn(f64) -> f64 {
        match self {
            Unary::Relu => |x| if x < 0.0 { 0.0 } else { x },
            Unary::Gelu => |x| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Unary::Tanh => libm::tanh,
            Unary::Sigmoid => |x| 1.0 / (1.0 + libm::exp(-x)),
        }
    }
}

/// `out = op(x)`, in f64 and rounded once.
///
/// # Errors
/// [`Error::Shape`] where the buffers are not of one size.
pub fn unary<T: Copy + Into<f64>>(op: Unary, x: &[T], out: &mut [T], round: impl Fn(f64) -> T) -> Result<()> {
    if x.len() != out.len() {
        return Err(Error::Shape(format!("{} elements do not fill {}", x.len(), out.len())));
    }
    let f = op.of();
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = round(f(x.into())));
    Ok(())
}
