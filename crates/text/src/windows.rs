//! Sliding windows over one buffer of ids: the batches of a language model, which are cut out when they are needed.

use crate::error::TextError;

/// Windows of `max_length` ids that start at `0, stride, 2 * stride, ... < ids - max_length`, in batches.
///
/// A window's targets are the ids one place later, so the last target is one id past the window. Windows are numbered
/// from 0 in the order of their starts. They are not stored, so memory does not grow with their overlap.
///
/// ```
/// use tokenbed_text::Windows;
///
/// let ids = [10, 11, 12, 13, 14, 15];
/// let windows = Windows::new(ids.len(), 3, 1, 2, false)?;
/// assert_eq!((windows.count(), windows.batches()), (3, 2));
///
/// let (mut inputs, mut targets) = ([0; 6], [0; 6]);
/// windows.fill(&[2, 0], &ids, &mut inputs, &mut targets)?;
/// assert_eq!(inputs, [12, 13, 14, 10, 11, 12]);
/// assert_eq!(targets, [13, 14, 15, 11, 12, 13]);
/// # Ok::<(), tokenbed_text::TextError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    ids: usize,
    max_length: usize,
    stride: usize,
    batch_size: usize,
    drop_last: bool,
}

impl Windows {
    /// Windows over `ids` ids, `batch_size` to a batch. `drop_last` leaves out a last batch that is not full.
    pub fn new(
        ids: usize,
        max_length: usize,
        stride: usize,
        batch_size: usize,
        drop_last: bool,
    ) -> Result<Self, TextError> {
        for (name, size) in [("maxLength", max_length), ("stride", stride), ("batchSize", batch_size)] {
            if size == 0 {
                return Err(TextError::ZeroSize { name });
            }
        }
        if ids <= max_length {
            return Err(TextError::TooShort { ids, max_length, needed: max_length.saturating_add(1) });
        }
        let windows = Self { ids, max_length, stride, batch_size, drop_last };
        if windows.count() > u32::MAX as usize {
            return Err(TextError::TooLong { what: "an epoch", found: windows.count(), limit: u32::MAX as usize });
        }
        Ok(windows)
    }

    /// Number of windows, at least one.
    pub fn count(&self) -> usize {
        (self.ids - self.max_length).div_ceil(self.stride)
    }

    /// Number of batches in an epoch.
    pub fn batches(&self) -> usize {
        if self.drop_last { self.count() / self.batch_size } else { self.count().div_ceil(self.batch_size) }
    }

    /// The places, in the order of an epoch, of the windows in batch number `batch`; `None` past the last batch.
    pub fn batch(&self, batch: usize) -> Option<std::ops::Range<usize>> {
        (batch < self.batches()).then(|| {
            let start = batch * self.batch_size;
            start..self.count().min(start.saturating_add(self.batch_size))
        })
    }

    /// Number of ids in a window.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Start of window number `window`; `None` if there is no such window.
    pub fn start(&self, window: usize) -> Option<usize> {
        (window < self.count()).then(|| window * self.stride)
    }

    /// Copies the windows with these numbers and their targets out of `ids`, row after row.
    ///
    /// `inputs` and `targets` have `windows.len() * max_length` elements. Everything except the size of the ids is
    /// checked before anything is written: after [`TextError::IdTooLarge`] the rows before it are written.
    pub fn fill<I: WindowId>(
        &self,
        windows: &[u32],
        ids: &[I],
        inputs: &mut [i32],
        targets: &mut [i32],
    ) -> Result<(), TextError> {
        let expected = windows.len().saturating_mul(self.max_length);
        for (what, found, expected) in
            [("ids", ids.len(), self.ids), ("inputs", inputs.len(), expected), ("targets", targets.len(), expected)]
        {
            if found != expected {
                return Err(TextError::Length { what, found, expected });
            }
        }
        let count = self.count();
        if let Some(index) = windows.iter().position(|&window| window as usize >= count) {
            return Err(TextError::NoWindow { index, value: windows[index], count });
        }
        let rows = inputs.chunks_exact_mut(self.max_length).zip(targets.chunks_exact_mut(self.max_length));
        for (&window, (input, target)) in windows.iter().zip(rows) {
            let start = window as usize * self.stride;
            for (row, start) in [(input, start), (target, start + 1)] {
                I::copy(&ids[start..start + self.max_length], row)
                    .map_err(|(at, value)| TextError::IdTooLarge { position: start + at, value })?;
            }
        }
        Ok(())
    }
}

/// The kinds of ids that windows can be cut from.
pub trait WindowId: sealed::Copy {}

impl WindowId for i32 {}
impl WindowId for u16 {}
impl WindowId for u32 {}

mod sealed {
    pub trait Copy: Sized {
        /// Copies ids into a row of the same length. The error is the place and value of the first id that does not
        /// fit.
        fn copy(ids: &[Self], row: &mut [i32]) -> Result<(), (usize, u32)>;
    }

    impl Copy for i32 {
        fn copy(ids: &[Self], row: &mut [i32]) -> Result<(), (usize, u32)> {
            row.copy_from_slice(ids);
            Ok(())
        }
    }

    impl Copy for u16 {
        fn copy(ids: &[Self], row: &mut [i32]) -> Result<(), (usize, u32)> {
            row.iter_mut().zip(ids).for_each(|(out, &id)| *out = i32::from(id));
            Ok(())
        }
    }

    impl Copy for u32 {
        fn copy(ids: &[Self], row: &mut [i32]) -> Result<(), (usize, u32)> {
            // One pass that only ORs compiles to vector code; the offender is searched for afterwards.
            let mut all = 0;
            for (out, &id) in row.iter_mut().zip(ids) {
                all |= id;
                *out = id as i32;
            }
            match ids.iter().position(|&id| all > i32::MAX as u32 && id > i32::MAX as u32) {
                Some(at) => Err((at, ids[at])),
                None => Ok(()),
            }
        }
    }
}
