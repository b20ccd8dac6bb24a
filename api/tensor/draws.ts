// Draws from distributions that tensors describe, and of integers, as PyTorch draws them.

import { noGrad } from '../autograd/no-grad.js'
import { checkDType, facts, isFloat, type DType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { broadcast, shown } from '../base/shape.js'
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  checkShape,
  checkSize,
  isArray,
  show,
} from '../base/validate.js'
import { call, native } from '../native/native.js'
import { uninitialized } from './allocate.js'
import { checkGenerator, drawn, rand, type DrawOptions, type Generator } from './random.js'
import { Tensor } from './tensor.js'

export interface IntegerDrawOptions {
  /** default: the default generator, which `manualSeed` seeds */ generator?: Generator
  /** default 'int32' */ dtype?: DType
}

/**
 * Integers from `low` (0 if it is left out) to below `high`, in a tensor of a shape; int32 by default.
 * `randint(10, [4, 2])`, `randint(-5, 5, [4])`. `torch.randint`.
 *
 * @throws UsageError if there is no integer between the bounds; DTypeError if the type does not hold all of them.
 */
export function randint(high: number, shape: readonly number[], options?: IntegerDrawOptions): Tensor
export function randint(low: number, high: number, shape: readonly number[], options?: IntegerDrawOptions): Tensor
export function randint(...args: unknown[]): Tensor {
  const where = 'randint'
  const [low, high, shape, given] = isArray(args[1]) ? [0, ...args] : args
  const { generator, dtype = 'int32' } = checkOptions(
    given as IntegerDrawOptions | undefined,
    ['generator', 'dtype'],
    where,
  )
  const source = checkGenerator(generator, where)
  const { bytes, range } = facts(checkDType(dtype, where))
  checkInteger(low, `${where}: low`)
  checkInteger(high, `${where}: high`)
  if ((low as number) >= (high as number))
    throw new UsageError(`${where}: high must be above low, ${show(low)}, not ${show(high)}`)
  const [least, most] = dtype === 'bool' ? [0, 1] : (range ?? [-Infinity, Infinity])
  if ((low as number) < least || (high as number) - 1 > most)
    throw new DTypeError(`${where}: ${dtype} does not hold all integers from ${show(low)} to ${(high as number) - 1}`)
  const sizes = checkShape(shape, Math.max(bytes, 8), where)
  const integers = uninitialized('int64', sizes)
  source.integers(integers.operand(), low as number, high as number)
  if (dtype === 'int64') return integers
  const made = integers.to(dtype)
  integers.dispose()
  return made
}

/**
 * Draws from normal distributions: of one mean and standard deviation in a tensor of a shape,
 * `normal(0, 0.02, [4, 2])`, or of those that tensors give, which are broadcast. `torch.normal`.
 *
 * @throws UsageError for a negative standard deviation.
 */
export function normal(
  mean: number | Tensor,
  std: number | Tensor,
  shape?: readonly number[],
  options?: DrawOptions,
): Tensor {
  const where = 'normal'
  if (typeof mean === 'number' && typeof std === 'number') {
    checkNumber(mean, `${where}: mean`)
    if (checkNumber(std, `${where}: std`) < 0) throw new UsageError(`${where}: std must not be negative, not ${std}`)
    return drawn(shape as number[], options, where, (generator, out, wide) =>
      wide ? generator.normal64(out, mean, std) : generator.normal(out, mean, std),
    )
  }
  for (const [name, value] of [
    ['mean', mean],
    ['std', std],
  ] as const) {
    if (value instanceof Tensor ? isFloat(value.dtype) : typeof value === 'number') continue
    throw new UsageError(`${where}: ${name} must be a number or a tensor of floats, not ${show(value)}`)
  }
  if (std instanceof Tensor && std.size > 0 && noGrad(() => std.min().item()) < 0)
    throw new UsageError(`${where}: std must not be negative`)
  const shapeOf = (value: number | Tensor) => (typeof value === 'number' ? [] : value.shape)
  const wanted = broadcast(shapeOf(mean), shapeOf(std))
  if (shape !== undefined && shown(shape) !== shown(wanted))
    throw new ShapeError(`${where}: mean and std have the shape ${shown(wanted)}, not ${shown(shape)}`)
  const isWide = [mean, std].some((value) => value instanceof Tensor && value.dtype === 'float64')
  const made = drawn(
    [...wanted],
    { dtype: isWide ? 'float64' : 'float32', ...options, requiresGrad: false },
    where,
    (generator, out, wide) => (wide ? generator.normal64(out) : generator.normal(out)),
  )
  const result = noGrad(() => made.mul(std).add(mean))
  made.dispose()
  if (options?.requiresGrad === true) result.requiresGrad = true
  return result
}

function checkChances(x: unknown, where: string): Tensor {
  if (!(x instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(x)}`)
  if (x.dtype === 'float32' || x.dtype === 'float64') return x
  throw new DTypeError(`${where}: the tensor must be float32 or float64, not ${x.dtype}`)
}

/**
 * For each probability 1 or 0, in its type: 1 with that probability. `torch.bernoulli`.
 *
 * @throws UsageError for numbers outside of 0 to 1.
 */
export function bernoulli(chances: Tensor, options?: { generator?: Generator }): Tensor {
  const where = 'bernoulli'
  const { generator } = checkOptions(options, ['generator'], where)
  const source = checkGenerator(generator, where)
  const { shape, dtype } = checkChances(chances, where)
  return noGrad(() => {
    if (chances.ge(0).mul(chances.le(1)).sum().item() < chances.size)
      throw new UsageError(`${where}: probabilities must be from 0 to 1`)
    const numbers = rand([...shape], { dtype: dtype as 'float32', generator: source })
    return numbers.lt(chances).to(dtype)
  })
}

/**
 * Draws `numSamples` categories by their weights, which need not add up to 1: int32 indices, (numSamples) for weights
 * of one dimension and (rows, numSamples) for rows of them. Without `replacement` no category is drawn twice.
 * `torch.multinomial`.
 *
 * @throws UsageError for weights that are negative or not finite, for rows without a positive one, and for more samples
 * than positive weights where nothing is replaced.
 */
export function multinomial(
  weights: Tensor,
  numSamples: number,
  options?: { replacement?: boolean; generator?: Generator },
): Tensor {
  const where = 'multinomial'
  const { replacement = false, generator } = checkOptions(options, ['replacement', 'generator'], where)
  checkBoolean(replacement, `${where}: replacement`)
  const source = checkGenerator(generator, where)
  const { shape, dtype } = checkChances(weights, where)
  checkSize(numSamples, `${where}: numSamples`, 1)
  if (shape.length < 1 || shape.length > 2)
    throw new ShapeError(`${where}: weights must have one or two dimensions, not the shape ${shown(shape)}`)
  const categories = shape.at(-1)!
  const rows = shape.length === 1 ? 1 : shape[0]
  if (categories > 2 ** 24) throw new UsageError(`${where}: there may be at most 2^24 categories, not ${categories}`)
  return noGrad(() => {
    checkWeights(weights, rows, categories, replacement ? 1 : numSamples, where)
    const result = shape.length === 1 ? [numSamples] : [rows, numSamples]
    if (replacement && numSamples > 1) return sampled(weights, rows, categories, numSamples, source, result)
    // Exponential draws divided by weights race; the first to arrive are drawn.
    const uniform = rand([...shape], { dtype: 'float64', generator: source })
    const times = uniform.neg().log1p().neg().to(dtype)
    return weights.div(times).topk(numSamples, -1).indices
  })
}

function checkWeights(weights: Tensor, rows: number, categories: number, least: number, where: string): void {
  const data = weights.to('float64').data
  for (let row = 0; row < rows; row++) {
    let positive = 0
    for (let i = row * categories; i < (row + 1) * categories; i++) {
      const weight = Number(data[i])
      if (!(weight >= 0) || weight === Infinity)
        throw new UsageError(`${where}: weights must be finite and not negative, not ${weight}`)
      if (weight > 0) positive++
    }
    if (positive < least)
      throw new UsageError(
        `${where}: row ${row} has ${positive} positive weights, but ${least} samples are to be drawn`,
      )
  }
}

/** Samples with replacement: the category in whose part of the running total a uniform number falls. */
function sampled(
  weights: Tensor,
  rows: number,
  categories: number,
  count: number,
  source: Generator,
  shape: readonly number[],
): Tensor {
  const data = weights.data
  const round = weights.dtype === 'float32' ? Math.fround : Number
  const totals = new Float64Array(rows * categories)
  for (let row = 0; row < rows; row++) {
    let sum = 0
    const at = row * categories
    for (let i = 0; i < categories; i++) totals[at + i] = sum = round(sum + Number(data[at + i]))
    for (let i = 0; i < categories; i++) totals[at + i] = round(totals[at + i] / sum)
    totals[at + categories - 1] = 1
  }
  const samples = rand([rows * count], { dtype: 'float64', generator: source })
  const out = uninitialized('int32', shape)
  call(native.sampleElements(totals, categories, samples.operand(), out.operand()))
  return out
}
