//! Turns a pass over rows or elements into an op. Tensors compute with passes, forward and backward.
//!
//! A pass is plain Rust that defines its own result. It has one body, which is compiled for each instruction set, and
//! the compiler makes vectors of its loops. Compilers neither reorder nor contract its operations, so the bits are the
//! same on all. For f64 it is compiled only once. Operands of other sizes than the pass requires end it early or panic;
//! that is a bug in the caller.

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
