//! The memory that a step of an optimizer works on.

/// What a step works on: elements in memory of their own.
#[derive(Debug)]
pub struct Slots<'a, F> {
    /// The parameter.
    pub param: &'a mut [F],
    /// Its gradient, of as many elements.
    pub grad: &'a [F],
    /// State: as many elements, one, or none, as the rule says.
    pub first: &'a mut [F],
    /// The same.
    pub second: &'a mut [F],
}
