//! How a pass over rows or elements becomes an op: what tensors compute, forward and backward.
//!
//! A pass is plain Rust, whose results define themselves: its body is one, compiled once for each instruction set, and
//! compilers make vectors of its loops. Nothing in it is reordered or contracted by them, so the bits are the same on
//! all. In f64 it is not compiled for instruction sets. Operands of other sizes than a pass says end it early or panic:
//! the caller's bug, not its user's.

/// Makes the method of [`crate::dispatch::Kernels`] that runs a pass, and its functions for f32:
/// `pass!(/** What it does. */ unary: Unary, body)`, where `Unary<'_, T>` holds the operands.
macro_rules! pass {
    ($(#[$doc:meta])* $method:ident: $op:ident, $body:ident) => {
        const _: () = {
            use $crate::dispatch::{Kernels, arms};
            use $crate::real::{PerReal, Real};

            arms!(ARMS: fn(op: $op<'_, f32>), $body::<f32>, $body::<f32>);

            struct Bodies;
            impl PerReal for Bodies {
                type Of<T: Real> = unsafe fn($op<'_, T>);
            }

            impl Kernels {
                $(#[$doc])*
                pub fn $method<T: Real>(self, op: $op<'_, T>) {
                    let body = T::choose::<Bodies>(ARMS.on(self), $body::<f64>);
                    // SAFETY: bodies of passes are safe; `self` proves that its instruction set runs here.
                    unsafe { body(op) }
                }
            }
        };
    };
}
pub(super) use pass;
