// An embedder of the vectors of tokens: factors from counts or ranks, the component that all texts share, fewer
// columns.

import { ShapeError, UsageError } from '../base/errors.js'
import { scope } from '../memory/scope.js'
import { zeroed } from '../memory/arrays.js'
import { tensor } from '../tensor/create.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkNumber, checkOptions, checkSize, isObject, show } from '../base/validate.js'
import { principalComponents } from '../vectors/pca.js'
import { Vectors } from '../vectors/vectors.js'
import type { TextEmbedderParts } from './parts.js'
import { wordTokenizer } from './words.js'

export interface FromVectorsOptions {
  /** Factors for tokens; default: none. */
  weights?: 'sif' | 'zipf' | Tensor
  /** How often each token was seen, by its id; needed for `sif`. `Model.counts` has them. */
  counts?: ArrayLike<number> | null
  /** The a of a / (a + p): default 1e-3 for `sif`, 1e-4 for `zipf`. */
  a?: number
  /** Whether the first principal component is removed; default true for `sif`, else false. */
  removeComponent?: boolean
  /**
   * The number of principal components to which the rows are reduced, before all else; default: they stay as they are.
   */
  dim?: number
  /** Whether vectors get length 1 unless told otherwise; default false. */
  normalize?: boolean
}

const OPTIONS = ['weights', 'counts', 'a', 'removeComponent', 'dim', 'normalize']

/** The parts of an embedder of these vectors. */
export function partsOfVectors(
  vectors: unknown,
  options: FromVectorsOptions | undefined,
  where: string,
): TextEmbedderParts {
  if (!(vectors instanceof Vectors)) throw new UsageError(`${where}: expected Vectors, not ${show(vectors)}`)
  const { weights, a, dim, normalize = false, ...rest } = checkOptions(options, OPTIONS, where)
  const counts = rest.counts == null ? null : checkCounts(rest.counts, vectors.size, where)
  const { removeComponent = weights === 'sif' } = rest
  checkBoolean(normalize, `${where}: normalize`)
  checkBoolean(removeComponent, `${where}: removeComponent`)
  if (dim !== undefined) checkSize(dim, `${where}: dim`, 1, vectors.dim)
  if (a !== undefined && checkNumber(a, `${where}: a`) <= 0)
    throw new UsageError(`${where}: a must be more than 0, not ${a}`)
  if (a !== undefined && weights !== 'sif' && weights !== 'zipf')
    throw new UsageError(`${where}: a belongs to the weights 'sif' and 'zipf': leave it out`)
  const { factors, chances } = factorsOf(weights, counts, a, vectors.size, where)
  const rows = dim === undefined ? vectors.weight : reduced(vectors.weight, dim)
  const table = removeComponent ? withoutComponent(rows, factors, chances) : rows
  return {
    tokenizer: vectors.tokenizer ?? wordTokenizer(vectors.words!, 'vocab.txt'),
    table,
    ...(factors === null ? {} : { weights: tensor(factors, { dtype: 'float32' }) }),
    normalize,
    semantics: 'mean',
  }
}

interface Factors {
  /** A factor for each token; null for none. */
  readonly factors: Float64Array | null
  /** The probability of each token; null if that is not known. */
  readonly chances: Float64Array | null
}

function factorsOf(
  weights: unknown,
  counts: Float64Array | null,
  a: number | undefined,
  size: number,
  where: string,
): Factors {
  const known = counts === null ? null : shares(counts, where)
  if (weights === undefined) return { factors: null, chances: known }
  if (weights instanceof Tensor) {
    if (weights.shape.length !== 1 || weights.shape[0] !== size)
      throw new ShapeError(
        `${where}: weights must have one element for each of ${size} tokens, not the shape [${weights.shape.join(', ')}]`,
      )
    return { factors: Float64Array.from(weights.detach().to('float64').toArray() as number[]), chances: known }
  }
  if (weights !== 'sif' && weights !== 'zipf')
    throw new UsageError(`${where}: weights must be "sif", "zipf" or a tensor, not ${show(weights)}`)
  if (weights === 'sif' && known === null)
    throw new UsageError(
      `${where}: the weights 'sif' need counts, how often each token was seen: give { counts: model.counts }, or take 'zipf', which needs none`,
    )
  const chances =
    weights === 'sif'
      ? known!
      : shares(
          Float64Array.from({ length: size }, (_, id) => 1 / (id + 2)),
          where,
        )
  const coefficient = a ?? (weights === 'sif' ? 1e-3 : 1e-4)
  return { factors: chances.map((p) => coefficient / (coefficient + p)), chances }
}

function shares(counts: Float64Array, where: string): Float64Array {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) throw new UsageError(`${where}: counts must not all be 0`)
  return counts.map((count) => count / total)
}

function checkCounts(counts: unknown, size: number, where: string): Float64Array {
  const length: unknown = isObject(counts) ? (counts as ArrayLike<number>).length : undefined
  if (length !== size)
    throw new ShapeError(
      `${where}: counts must have one element for each of ${size} tokens, not ${show(length === undefined ? counts : length)}`,
    )
  const checked = zeroed(Float64Array, size)
  for (let id = 0; id < size; id++) {
    const count = (counts as ArrayLike<number>)[id]
    if (typeof count !== 'number' || !Number.isFinite(count) || count < 0)
      throw new UsageError(`${where}: counts[${id}] must be a number of at least 0, not ${show(count)}`)
    checked[id] = count
  }
  return checked
}

/** The coordinates of rows along their principal components, (rows, dim), float32. */
function reduced(rows: Tensor, dim: number): Tensor {
  const { components, scores } = principalComponents(rows, { count: dim })
  components.dispose()
  const made = scores.to('float32')
  scores.dispose()
  return made
}

/**
 * Rows without what they have of the direction that texts share. A text is a mean of rows times factors, so taking the
 * direction out of the rows takes it out of all texts. It is the first principal component, about zero, of texts of one
 * token: the eigenvector of the largest eigenvalue of sum p f^2 v v^T, where p is the probability of a token and f its
 * factor.
 */
function withoutComponent(rows: Tensor, factors: Float64Array | null, chances: Float64Array | null): Tensor {
  const [count] = rows.shape
  const scale = Float32Array.from(
    { length: count },
    (_, id) => (factors?.[id] ?? 1) * Math.sqrt(chances?.[id] ?? 1 / count),
  )
  const kept = scope(() => {
    const plain = rows.detach()
    const scaled = plain.mul(tensor(scale).reshape(count, 1))
    const direction = leading(scaled.transpose(0, 1).matmul(scaled).toArray() as number[][])
    const along = tensor(direction, { dtype: 'float32' })
    const part = plain.matmul(along.reshape(direction.length, 1)).matmul(along.reshape(1, direction.length))
    return plain.sub(part)
  })
  return kept
}

/** The most steps of the power iteration. It ends sooner, unless two eigenvalues are almost equal. */
const STEPS = 5000
/** It ends when no element changes by more. */
const ENOUGH = 1e-12

/**
 * The eigenvector of the largest eigenvalue of a symmetric matrix without negative ones, of length 1; zeros of zeros.
 */
function leading(matrix: readonly (readonly number[])[]): Float64Array {
  const lengthOf = (vector: ArrayLike<number>) => {
    let sum = 0
    for (let i = 0; i < vector.length; i++) sum += vector[i] * vector[i]
    return Math.sqrt(sum)
  }
  const first = matrix.reduce((most, row) => (lengthOf(row) > lengthOf(most) ? row : most))
  const size = lengthOf(first)
  let vector = Float64Array.from(first, (x) => (size === 0 ? 0 : x / size))
  for (let step = 0; step < STEPS && size > 0; step++) {
    const next = Float64Array.from(matrix, (row) => row.reduce((sum, x, i) => sum + x * vector[i], 0))
    const length = lengthOf(next)
    if (length === 0) break
    let change = 0
    for (let i = 0; i < next.length; i++) {
      next[i] /= length
      change = Math.max(change, Math.abs(next[i] - vector[i]))
    }
    vector = next
    if (change < ENOUGH) break
  }
  return vector
}
