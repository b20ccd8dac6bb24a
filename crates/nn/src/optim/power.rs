//! Powers of a beta that are the same on every platform, which `f64::powf` is not.

/// A sum of two f64 that is kept as two numbers, the second of which is the rounding error of the first (Dekker 1971).
#[derive(Clone, Copy)]
struct Double(f64, f64);

impl Double {
    fn times(self, other: Double) -> Double {
        let high = self.0 * other.0;
        let low = self.0.mul_add(other.0, -high) + (self.0 * other.1 + self.1 * other.0);
        let sum = high + low;
        Double(sum, low - (sum - high))
    }
}

/// `beta` to the power `step`, by squaring with twice the digits and rounding once. The result is the nearest f64
/// except in one case of many millions, and nearly always equals that of a good libm.
pub(super) fn power(beta: f64, step: u64) -> f64 {
    let (mut result, mut square, mut left) = (Double(1.0, 0.0), Double(beta, 0.0), step);
    while left > 0 {
        if left & 1 == 1 {
            result = result.times(square);
        }
        square = square.times(square);
        left >>= 1;
    }
    result.0
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn powers_equal_those_of_python() {
        // python: float.hex(0.999 ** n), float.hex(0.9 ** n)
        let wanted: [(f64, u64, f64); 6] = [
            (0.999, 1, 0.999),
            (0.999, 2, 0.998001),
            (0.9, 3, 0.7290000000000001),
            (0.9, 100, 2.6561398887587544e-05),
            (0.999, 1000, 0.36769542477096373),
            (0.999, 100_000, 3.5385276883431275e-44),
        ];
        for (beta, step, power_of_python) in wanted {
            assert_eq!(power(beta, step).to_bits(), power_of_python.to_bits(), "{beta} to the {step}");
        }
        assert_eq!(power(0.0, 5), 0.0);
        assert_eq!(power(0.9, u64::MAX), 0.0);
    }
}
