//! Comparisons, and the tolerances that results may have, by name.

/// Tolerance of a result that is computed in f64 and rounded once. It is right except for how the f64 function
/// rounded.
pub const ROUNDED_ONCE_ULPS: u32 = 1;

/// Tolerance of a sum of `terms` f32 products against the same sum in f64, in any order. `magnitude` is the sum of
/// the products' magnitudes (Higham 2002, section 3.1).
pub fn reduction_f32(terms: usize, magnitude: f64) -> f64 {
    f64::from(f32::EPSILON) * terms as f64 * magnitude
}

/// [`reduction_f32`] for f64 products.
pub fn reduction_f64(terms: usize, magnitude: f64) -> f64 {
    f64::EPSILON * 2.0 * terms as f64 * magnitude
}

/// Tolerance of a layer normalization `y` against the same in f64, in units in the last place of the magnitude `|y -
/// bias| + |weight| + |bias|`: two differences, two products and a sum are each rounded, and the mean is known to a
/// fraction of the standard deviation, which the weight stands for.
pub const LAYER_NORM_ULPS: f64 = 2.0;

/// The most that a layer normalization may differ from `y`, the same in f64.
pub fn layer_norm_f32(y: f64, weight: f32, bias: f32) -> f64 {
    let (weight, bias) = (f64::from(weight), f64::from(bias));
    LAYER_NORM_ULPS * f64::from(f32::EPSILON) * ((y - bias).abs() + weight.abs() + bias.abs())
}

/// Asserts that the bits are the same.
#[track_caller]
pub fn assert_same_bits(ours: &[f32], wanted: &[f32], what: &dyn std::fmt::Display) {
    assert_all(ours, wanted, what, |a, b| a.to_bits() == b.to_bits());
}

/// Asserts that the bits are the same, except that all NaNs are equal: IEEE leaves open which of two NaNs a sum
/// keeps.
#[track_caller]
pub fn assert_same_values(ours: &[f32], wanted: &[f32], what: &dyn std::fmt::Display) {
    assert_all(ours, wanted, what, |a, b| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
}

/// Asserts that each element is at most `ulps` steps of f32 from the wanted one. NaN equals only NaN.
#[track_caller]
pub fn assert_ulps(ours: &[f32], wanted: &[f32], ulps: u32, what: &dyn std::fmt::Display) {
    assert_all(ours, wanted, what, |a, b| {
        a.is_nan() && b.is_nan() || !a.is_nan() && !b.is_nan() && ulps_apart(a, b) <= u64::from(ulps)
    });
}

#[track_caller]
fn assert_all(ours: &[f32], wanted: &[f32], what: &dyn std::fmt::Display, same: impl Fn(f32, f32) -> bool) {
    assert_eq!(ours.len(), wanted.len(), "{what}");
    let differs = ours.iter().zip(wanted).position(|(&a, &b)| !same(a, b));
    if let Some(at) = differs {
        let (a, b) = (ours[at], wanted[at]);
        assert!(same(a, b), "{what}: {a} ({:#010x}) is not {b} ({:#010x}) at {at}", a.to_bits(), b.to_bits());
    }
}

/// Number of f32 steps between two numbers; the two zeros are the same.
pub fn ulps_apart(a: f32, b: f32) -> u64 {
    let place = |x: f32| {
        let magnitude = i64::from(x.to_bits() & 0x7fff_ffff);
        if x.is_sign_negative() { -magnitude } else { magnitude }
    };
    place(a).abs_diff(place(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_across_zero() {
        assert_eq!(ulps_apart(1.0, 1.0 + f32::EPSILON), 1);
        assert_eq!(ulps_apart(0.0, -0.0), 0);
        assert_eq!(ulps_apart(f32::from_bits(1), -f32::from_bits(2)), 3);
        assert_eq!(ulps_apart(f32::MAX, f32::INFINITY), 1);
    }

    #[test]
    fn a_nan_is_only_a_nan() {
        assert_same_values(&[f32::from_bits(0x7fc0_0001)], &[f32::NAN], &"");
        for wrong in [1.0, f32::INFINITY, -0.0] {
            assert!(std::panic::catch_unwind(|| assert_same_values(&[f32::NAN], &[wrong], &"")).is_err());
            assert!(std::panic::catch_unwind(|| assert_ulps(&[wrong], &[f32::NAN], u32::MAX, &"")).is_err());
        }
        assert!(std::panic::catch_unwind(|| assert_same_values(&[0.0], &[-0.0], &"")).is_err());
    }
}
