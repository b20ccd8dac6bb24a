//! Makes an op from a pass over rows or elements of tensors, forward or backward.
//!
//! A pass is plain Rust and its own definition. Its single body is compiled once for each instruction set, and the
//! compiler vectorizes its loops. The compiler does not reorder or contract anything, so all versions give the same
//! bits. The f64 version is not compiled for instruction sets. Operands with wrong sizes end a pass early or make it
//! panic, which is a bug of the calling code.

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
