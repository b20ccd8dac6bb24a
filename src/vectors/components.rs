//! Principal components of rows, computed now or on a thread of libuv's pool. The result is one array of float64: the
//! directions, then the coordinates of the rows along them, then the variances.

use crate::layers::async_forward::{Job, elements, work};
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::Work;
use bytemuck::Pod;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::storage::Part;
use tokenbed_kernels::dispatch;
use tokenbed_nn::components::{Components, principal};

/// The sizes of the rows, and the number of components.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    dim: usize,
    count: usize,
}

impl Sizes {
    fn new(rows: f64, dim: f64, count: f64) -> Result<Self, Failure> {
        Ok(Self { rows: size(rows)?, dim: size(dim)?, count: size(count)? })
    }

    /// The number of elements in a result.
    fn all(self) -> Result<usize, Failure> {
        let all = self.rows.checked_add(self.dim).and_then(|all| all.checked_add(1)?.checked_mul(self.count));
        all.ok_or_else(|| {
            Error::Shape(format!(
                "{} components of {} rows of {} elements are too many",
                self.count, self.rows, self.dim
            ))
            .into()
        })
    }

    /// Writes a result. Returns whether it finished.
    fn find<T: Pod + Into<f64> + Sync>(
        self,
        rows: &[T],
        go_on: &dyn Fn() -> bool,
        out: &mut [f64],
    ) -> Result<bool, Failure> {
        if out.len() != self.all()? || rows.len() != self.rows * self.dim {
            return Err(
                Error::Shape(format!("{} elements are not {} rows of {}", rows.len(), self.rows, self.dim)).into()
            );
        }
        let (directions, out) = out.split_at_mut(self.count * self.dim);
        let (scores, explained) = out.split_at_mut(self.rows * self.count);
        Ok(principal(dispatch::active(), rows, self.dim, go_on, Components { directions, scores, explained })?)
    }
}

/// out = the components of weight (rows, dim), which is float64 if `wide` is set, and float32 otherwise.
#[napi(catch_unwind)]
pub fn components_of(weight: Operand, wide: bool, rows: f64, dim: f64, count: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let (sizes, out) = (Sizes::new(rows, dim, count)?, out.exclusive(&[&weight])?);
        if wide {
            sizes.find(weight.shared::<f64>()?, &|| true, out)?;
        } else {
            sizes.find(weight.shared::<f32>()?, &|| true, out)?;
        }
        Ok(())
    })
}

/// The rows, held.
struct HeldRows {
    table: Part,
    wide: bool,
    sizes: Sizes,
}

impl Job for HeldRows {
    fn size(&self) -> (usize, usize) {
        (self.sizes.all().unwrap_or(usize::MAX), size_of::<f64>())
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let out = bytemuck::try_cast_slice_mut(out).map_err(|_| Error::Shape("the result is not aligned".into()))?;
        if self.wide {
            self.sizes.find::<f64>(elements(&self.table)?, go_on, out)
        } else {
            self.sizes.find::<f32>(elements(&self.table)?, go_on, out)
        }
    }
}

/// What `componentsOf` computes, as work to be queued.
#[napi(catch_unwind)]
pub fn components_work(
    weight: &External<Handle>,
    wide: bool,
    rows: f64,
    dim: f64,
    count: f64,
) -> Option<External<Work>> {
    work(|| {
        threads()?;
        Ok(HeldRows { table: weight.hold()?, wide, sizes: Sizes::new(rows, dim, count)? })
    })
}
