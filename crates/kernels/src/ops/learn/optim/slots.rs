//! The memory that a step of an optimizer works on.

/// The elements on which a step works, in memory that does not overlap.
#[derive(Debug)]
pub struct Slots<'a, F> {
    /// The parameter.
    pub param: &'a mut [F],
    /// The gradient, with as many elements.
    pub grad: &'a [F],
    /// State: as many elements as the parameter, one, or none, depending on the rule.
    pub first: &'a mut [F],
    /// More state, of the same kind.
    pub second: &'a mut [F],
}
