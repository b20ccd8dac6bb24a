//! Lookups off the thread. The work holds copies of its ids and the storage of its tables.

use crate::node::external::External;
use crate::node::guard::Failure;
use crate::node::work::{self, Errand, GoOn, Work};
use bytemuck::Pod;
use tokenbed_core::Error;
use tokenbed_core::storage::{Part, Storage};

/// A lookup in two steps: the size of its result, and the function that writes it. That function stops early when it
/// may not go on, and returns whether it finished. A job holds everything that it reads. Each layer has its own type of
/// job.
pub(crate) trait Job: Send {
    /// The number of rows of the result, and the bytes per row.
    fn size(&self) -> (usize, usize);

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure>;
}

/// A job as an errand, which has one result.
struct Lookup<J>(J);

impl<J: Job> Errand for Lookup<J> {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        if !go_on.is_wanted() {
            return Err(Failure::aborted());
        }
        let (rows, row) = self.0.size();
        let bytes =
            rows.checked_mul(row).ok_or_else(|| Error::Shape(format!("{rows} rows of {row} bytes are too many")))?;
        let mut result = Storage::result(bytes)?;
        let out = result.elements_mut().ok_or_else(|| Error::Shape("the result is not aligned".into()))?;
        if self.0.write(&|| go_on.is_wanted(), out)? { Ok(Vec::from([result])) } else { Err(Failure::aborted()) }
    }
}

/// The result's bytes as f32.
pub(crate) fn floats(out: &mut [u8]) -> Result<&mut [f32], Failure> {
    bytemuck::try_cast_slice_mut(out).map_err(|_| Error::Shape("the result is not aligned".into()).into())
}

/// The elements of a held part.
pub(crate) fn elements<T: Pod>(part: &Part) -> Result<&[T], Failure> {
    Ok(part.elements().ok_or_else(|| Error::Shape("the table is not aligned".into()))?)
}

/// A lookup that is ready to be queued with `workQueue`.
pub(crate) fn work<J: Job + 'static>(job: impl FnOnce() -> Result<J, Failure>) -> Option<External<Work>> {
    work::work(|| job().map(Lookup))
}
