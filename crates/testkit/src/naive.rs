//! References: one loop each, in the order in which one would write the formula.

/// Rows `ids` of a table whose rows have `dim` elements.
pub fn gather(table: &[f32], dim: usize, ids: &[u32]) -> Vec<f32> {
    ids.iter().flat_map(|&id| &table[id as usize * dim..][..dim]).copied().collect()
}

/// Rows `ids` of one table plus rows `positions` of another.
pub fn gather_add(table: &[f32], added: &[f32], dim: usize, ids: &[u32], positions: &[u32]) -> Vec<f32> {
    let (rows, more) = (gather(table, dim, ids), gather(added, dim, positions));
    rows.iter().zip(&more).map(|(a, b)| a + b).collect()
}

/// Layer normalization of a row in f64, written in another way than ours.
pub fn layer_norm(row: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Vec<f64> {
    let n = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    let unit = |x: f32| (f64::from(x) - mean) / (variance + eps).sqrt();
    row.iter().zip(weight).zip(bias).map(|((&x, &w), &b)| unit(x) * f64::from(w) + f64::from(b)).collect()
}

/// The product of two row-major matrices (rows x inner) * (inner x columns), and the product of their magnitudes.
pub fn matmul(rows: usize, inner: usize, columns: usize, a: &[f64], b: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let sum = |f: fn(f64) -> f64, row: usize, column: usize| -> f64 {
        (0..inner).map(|k| f(a[row * inner + k] * b[k * columns + column])).sum()
    };
    let all = |f: fn(f64) -> f64| (0..rows * columns).map(|i| sum(f, i / columns, i % columns)).collect();
    (all(|x| x), all(f64::abs))
}

/// Every index of a shape, in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let size = shape.iter().product();
    let index = |mut flat: usize| {
        let mut index: Vec<usize> = shape.iter().rev().map(|&n| (flat % n, flat /= n).0).collect();
        index.reverse();
        index
    };
    (0..size).map(index).collect()
}

/// Position of an index in a buffer with this layout.
pub fn place(index: &[usize], offset: usize, strides: &[usize]) -> usize {
    offset + index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>()
}

/// The p-norm, for a finite p above 0.
pub fn norm(row: &[f32], p: f64) -> f64 {
    row.iter().map(|&x| f64::from(x).abs().powf(p)).sum::<f64>().powf(1.0 / p)
}

/// `exp(x) / sum(exp(x))`, for moderate numbers.
pub fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|x| x.exp()).sum();
    x.iter().map(|x| x.exp() / sum).collect()
}

/// The error function, for moderate numbers, by its Taylor series (Abramowitz and Stegun 7.1.5).
pub fn erf(x: f64) -> f64 {
    let (mut power, mut sum) = (x, x);
    for n in 1..200 {
        power *= -x * x / f64::from(n);
        sum += power / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_run_row_major() {
        assert_eq!(indices(&[2, 3])[4], [1, 1]);
        assert_eq!(indices(&[]), [[0usize; 0]]);
        assert!(indices(&[2, 0]).is_empty());
    }

    #[test]
    fn erf_agrees_with_the_tables() {
        assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
        assert!((erf(-2.0) + 0.995_322_265_018_952_7).abs() < 1e-14);
    }
}
