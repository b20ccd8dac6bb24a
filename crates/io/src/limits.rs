//! Limits that readers of our files have, and that writers therefore check before they touch a file.

use tokenbed_core::{Error, Result};

/// The shapes that readers of a format accept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shapes {
    /// Largest number of dimensions.
    pub dimensions: usize,
    /// Whether readers leave out zeros when they multiply the sizes, as NumPy does. Then the other sizes count.
    pub without_zeros: bool,
}

impl Shapes {
    /// Checks that readers can hold an array of this shape.
    ///
    /// # Errors
    /// [`Error::Shape`], whose message begins with `what`.
    pub(crate) fn check(self, what: &str, shape: &[u64], element: usize) -> Result<()> {
        let (dimensions, most) = (shape.len(), self.dimensions);
        if dimensions > most {
            return Err(Error::Shape(format!("{what} has {dimensions} dimensions: at most {most} can be written")));
        }
        let counts = |&&size: &&u64| size > 0 || !self.without_zeros;
        let elements = shape.iter().filter(counts).try_fold(1u64, |all, &size| all.checked_mul(size));
        let bits = elements.and_then(|elements| elements.checked_mul(8 * element as u64));
        if bits.is_none_or(|bits| bits / 8 > isize::MAX as u64) {
            let message =
                format!("{what} has the shape {shape:?}, whose sizes are together more than any memory holds");
            return Err(Error::Shape(format!("{message}: readers refuse that")));
        }
        Ok(())
    }
}
