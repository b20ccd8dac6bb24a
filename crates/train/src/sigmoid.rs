//! The logistic function from a table, as in word2vec and gensim.

use tokenbed_memory::Gather;

/// The table ends here; scores beyond are given the values at its ends.
const MOST: f32 = 6.0;
const ENTRIES: usize = 1024;

/// 1 / (1 + exp(-x)) and -log of it.
#[derive(Debug)]
pub(crate) struct Sigmoid {
    entries: Vec<(f32, f32)>,
}

impl Sigmoid {
    pub(crate) fn new() -> Self {
        let entry = |i: usize| {
            let x = ((i as f64 + 0.5) / ENTRIES as f64 * 2.0 - 1.0) * f64::from(MOST);
            // libm is used rather than the system's exp, so that the bits are the same everywhere.
            let value = 1.0 / (1.0 + libm::exp(-x));
            (value as f32, -libm::log(value) as f32)
        };
        Self { entries: (0..ENTRIES).map(entry).into_list() }
    }

    /// The gradient of the log-likelihood, `label - sigmoid(score)`, and the loss. A non-finite score gives a NaN loss.
    #[inline]
    pub(crate) fn gradient(&self, score: f32, label: bool) -> (f32, f32) {
        let place = (score + MOST) * (ENTRIES as f32 / (2.0 * MOST));
        let (value, loss) = self.entries[(place as usize).min(ENTRIES - 1)];
        let wrong = if score.is_finite() { 0.0 } else { f32::NAN };
        // -log(1 - s(x)) = x - log s(x)
        if label { (1.0 - value, loss + wrong) } else { (-value, loss + score.clamp(-MOST, MOST) + wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_logistic_function() {
        let sigmoid = Sigmoid::new();
        for x in [-5.9f32, -1.0, 0.0, 0.3, 5.9] {
            let value = 1.0 / (1.0 + (-x).exp());
            let (up, loss) = sigmoid.gradient(x, true);
            let (down, other) = sigmoid.gradient(x, false);
            assert!((up - (1.0 - value)).abs() < 2e-3 && (down + value).abs() < 2e-3);
            assert!(
                (loss + value.ln()).abs() < 7e-3 && (other + (1.0 - value).ln()).abs() < 7e-3,
                "{x}: {loss} {other}"
            );
        }
        assert!(sigmoid.gradient(40.0, true).0 < 3e-3 && sigmoid.gradient(-40.0, false).0 > -3e-3);
        assert!(sigmoid.gradient(f32::NAN, true).1.is_nan() && sigmoid.gradient(f32::INFINITY, false).1.is_nan());
    }
}
