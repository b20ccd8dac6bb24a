// How well two lists of numbers agree, with the probability that lists without a relation agree as well.

/** A coefficient from -1 to 1, and its two-sided p-value. */
export interface Correlation {
  coefficient: number
  pValue: number
}

/** Pearson's coefficient; NaN if one of the lists is constant or there are fewer than two. `scipy.stats.pearsonr`. */
export function pearson(a: readonly number[], b: readonly number[]): Correlation {
  const coefficient = correlation(a, b)
  // Two points always lie on a line.
  return { coefficient, pValue: a.length === 2 && !Number.isNaN(coefficient) ? 1 : pValue(coefficient, a.length) }
}

/**
 * Spearman's coefficient: Pearson's of the ranks, where equal numbers share the mean of their ranks.
 * `scipy.stats.spearmanr`.
 */
export function spearman(a: readonly number[], b: readonly number[]): Correlation {
  const coefficient = correlation(ranks(a), ranks(b))
  return { coefficient, pValue: pValue(coefficient, a.length) }
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const count = a.length
  const [meanA, meanB] = [a, b].map((list) => list.reduce((sum, x) => sum + x, 0) / count)
  let [products, squaresA, squaresB] = [0, 0, 0]
  for (let i = 0; i < count; i++) {
    const [x, y] = [a[i] - meanA, b[i] - meanB]
    products += x * y
    squaresA += x * x
    squaresB += y * y
  }
  const coefficient = products / (Math.sqrt(squaresA) * Math.sqrt(squaresB))
  // Rounding may lead out of the range.
  return Math.max(-1, Math.min(1, coefficient))
}

function ranks(list: readonly number[]): number[] {
  const order = Array.from(list, (_, i) => i).sort((i, j) => list[i] - list[j])
  const found: number[] = Array.from(list, () => 0)
  for (let from = 0; from < order.length;) {
    let to = from + 1
    while (to < order.length && list[order[to]] === list[order[from]]) to++
    for (let i = from; i < to; i++) found[order[i]] = (from + to + 1) / 2
    from = to
  }
  return found
}

/** The two-sided p-value by Student's distribution with `count` - 2 degrees of freedom. */
function pValue(coefficient: number, count: number): number {
  if (Number.isNaN(coefficient) || count < 3) return NaN
  return incompleteBeta((1 - coefficient) * (1 + coefficient), (count - 2) / 2, 0.5)
}

/** The regularized incomplete beta function, by its continued fraction (Abramowitz and Stegun, 26.5.8). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  // The fraction converges quickly on one side of the mean.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a
  // Lentz's method, where a term that vanishes counts as this.
  const tiny = 1e-300
  let c = 1
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny)
  let fraction = d
  for (let m = 1; m < 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    let change = 1
    for (const term of [even, odd]) {
      d = 1 / (1 + term * d || tiny)
      c = 1 + term / c || tiny
      change = c * d
      fraction *= change
    }
    if (Math.abs(change - 1) < 1e-16) break
  }
  return front * fraction
}

/** Coefficients of Lanczos' approximation with g = 7. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
]

function logGamma(x: number): number {
  const base = x + 6.5
  const sum = LANCZOS.reduce((total, coefficient, i) => total + (i === 0 ? coefficient : coefficient / (x + i - 1)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum)
}
