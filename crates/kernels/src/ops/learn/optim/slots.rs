//! The memory that a step of an optimizer works on.

/// The elements that a step reads and writes; the slices do not overlap.
#[derive(Debug)]
pub struct Slots<'a, F> {
    /// The parameter.
    pub param: &'a mut [F],
    /// Its gradient, which has as many elements.
    pub grad: &'a [F],
    /// State: as many elements, one, or none, as the rule requires.
    pub first: &'a mut [F],
    /// The second state, likewise.
    pub second: &'a mut [F],
    /// The third state, likewise.
    pub third: &'a mut [F],
}
