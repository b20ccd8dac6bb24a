// The ops of tensors that make new tensors: functions of elements, comparisons, reductions, choices, and new shapes.
// They stand in a class below Tensor, which says what a tensor is.

import * as choices from '../autograd/choices.js'
import * as derivatives from '../autograd/derivatives.js'
import { record, type Backward, type Learner, type Save } from '../autograd/tape.js'
import { isFloat, type IntArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import { broadcast, checkDim, sameShape, shown, sizeOf } from '../base/shape.js'
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSize,
  eachOf,
  isArray,
  show,
} from '../base/validate.js'
import * as ops from '../ops/arithmetic.js'
import { Elements, temporary } from '../ops/elements.js'
import * as movement from '../ops/movement.js'
import * as select from '../ops/select.js'
import { fromEnd, gathered, indicesOf, placesOf, type Indices } from './indices.js'
import { elementsOf, type Nested } from './values.js'

/** Values of a dimension with their places in it. */
export interface Found<T> {
  readonly values: T
  /** int32. */
  readonly indices: T
}

/** Options of reductions. */
export interface ReduceOptions {
  /** Whether reduced dimensions stay, with size 1; default false. */
  keepdim?: boolean
}

/** Ops that make new tensors. `Self` is Tensor. */
export abstract class Operations<Self> extends Elements {
  /** A tensor that takes over the elements `made`. @internal */
  abstract over(made: Elements): Self
  /** The same elements in another shape, in the same memory. One size may be -1; it is computed from the others. */
  abstract reshape(...shape: number[]): Self
  /** The part `start .. start + length` along a dimension. */
  abstract narrow(dim: number, start: number, length: number): Self

  #made(made: Elements, name: string, inputs: readonly (Learner | number)[], back: (save: Save) => Backward): Self {
    return record(this.#new(made), name, inputs, back)
  }

  /** A new tensor, with what the tape needs of it. */
  #new(made: Elements): Self & Learner {
    return this.over(made) as Self & Learner
  }

  /** This tensor as an input of ops. */
  get #self(): Learner {
    return this as unknown as Learner
  }

  #dim(dim: number, where: string): number {
    // As in PyTorch, a scalar has dimensions 0 and -1.
    return checkDim(dim, Math.max(this.shape.length, 1), where)
  }

  #operand(x: Self | number, where: string): Learner | number {
    if (typeof x === 'number') return x
    if (x instanceof Operations) return x as unknown as Learner
    throw new UsageError(`${where}: the operand must be a tensor or a number, not ${show(x)}`)
  }

  #unary(op: ops.Unary, name: string): Self {
    const result = this.#new(ops.unary(op, this))
    const saved = ops.savesOperand(op) ? this : result
    return record(result, name, [this.#self], (save) => derivatives.unary(op, saved, save))
  }

  /** `max(x, 0)`. */
  relu(): Self {
    return this.#unary('relu', 'ReluBackward')
  }

  /** `x * Phi(x)`, exact (by erf). Hendrycks and Gimpel 2016; `torch.nn.functional.gelu`. */
  gelu(): Self {
    return this.#unary('gelu', 'GeluBackward')
  }

  /** Hyperbolic tangent. */
  tanh(): Self {
    return this.#unary('tanh', 'TanhBackward')
  }

  /** `1 / (1 + exp(-x))`. */
  sigmoid(): Self {
    return this.#unary('sigmoid', 'SigmoidBackward')
  }

  /** `log(sigmoid(x))`, without overflow. `torch.nn.functional.logsigmoid`. */
  logSigmoid(): Self {
    return this.#unary('logSigmoid', 'LogSigmoidBackward')
  }

  /** The square root, correctly rounded; NaN for negative elements. The derivative is `0.5 / sqrt(x)`. */
  sqrt(): Self {
    return this.#unary('sqrt', 'SqrtBackward')
  }

  /** `e^x`. `torch.exp`. */
  exp(): Self {
    return this.#unary('exp', 'ExpBackward')
  }

  /** The natural logarithm; -Infinity at 0 and NaN below. `torch.log`. */
  log(): Self {
    return this.#unary('log', 'LogBackward')
  }

  /** `log(1 + x)`, accurate for small x. `torch.log1p`. */
  log1p(): Self {
    return this.#unary('log1p', 'Log1pBackward')
  }

  /** The absolute value, in the tensor's type; the derivative at 0 is 0. `torch.abs`. */
  abs(): Self {
    if (this.dtype === 'bool') throw new DTypeError('abs: the tensor must be of numbers, not bool')
    if (isFloat(this.dtype)) return this.#unary('abs', 'AbsBackward')
    return this.over(temporary(ops.binary('mul', this, -1), (negative) => ops.binary('maximum', this, negative)))
  }

  /** `-x`. `torch.neg`. */
  neg(): Self {
    if (this.dtype === 'bool') throw new DTypeError('neg: the tensor must be of numbers, not bool')
    const made = ops.binary('mul', this, -1)
    return this.#made(made, 'NegBackward', [this.#self], (save) => derivatives.product(this.#self, -1, save))
  }

  /**
   * The elements to a power, with broadcasting; -0.5 is the inverse of a root. `torch.pow`.
   *
   * @throws UsageError for integers to a negative power: convert them to floats first.
   */
  pow(exponent: Self | number): Self {
    const by = this.#operand(exponent, 'pow')
    if (typeof by === 'number') {
      if (!isFloat(this.dtype) && by < 0)
        throw new UsageError(`pow: integers have no integer power ${by}: convert the tensor with to('float32') first`)
      const result = choices.power(this, checkNumber(by, 'pow: exponent', true))
      return this.#made(result, 'PowBackward', [this.#self], (save) => choices.powerOf(this.#self, by, save))
    }
    const result = this.#new(ops.binary('pow', this, by))
    return record(result, 'PowBackward', [this.#self, by], (save) => choices.powers(this.#self, by, result, save))
  }

  /**
   * Elements limited to `min ..= max`; either may be left out. NaN stays. Where an element is at a limit or
   * beyond, its gradient is 0. `torch.clamp`.
   */
  clamp(min?: number, max?: number): Self {
    if (min === undefined && max === undefined) throw new UsageError('clamp: give min, max or both')
    for (const limit of [min, max]) if (limit !== undefined) checkNumber(limit, 'clamp: min and max', true)
    const low = min === undefined ? this.alias() : ops.binary('maximum', this, min)
    const made = max === undefined ? low : temporary(low, () => ops.binary('minimum', low, max))
    return this.#made(made, 'ClampBackward', [this.#self], (save) => choices.clamp(this.#self, min, max, save))
  }

  #extreme(op: 'maximum' | 'minimum', x: Self | number, name: string): Self {
    const by = this.#operand(x, op)
    const made = ops.binary(op, this, by)
    if (typeof by === 'number')
      return this.#made(made, name, [this.#self], (save) => choices.extremeOf(op, this.#self, by, save))
    return this.#made(made, name, [this.#self, by], (save) => choices.extreme(op, this.#self, by, save))
  }

  /**
   * The larger of two elements, with broadcasting; NaN if either is NaN. Equal ones share the gradient.
   * `torch.maximum`.
   */
  maximum(x: Self | number): Self {
    return this.#extreme('maximum', x, 'MaximumBackward')
  }

  /** The smaller of two elements, as `maximum`. `torch.minimum`. */
  minimum(x: Self | number): Self {
    return this.#extreme('minimum', x, 'MinimumBackward')
  }

  #compare(op: ops.Comparison, x: Self | number, where: string, swapped = false): Self {
    return this.over(ops.compare(op, this, this.#operand(x, where), swapped))
  }

  /** Whether elements are equal, as bool, with broadcasting; NaN equals nothing. `torch.eq`. */
  eq(x: Self | number): Self {
    return this.#compare('eq', x, 'eq')
  }

  /** Whether elements differ, as bool. `torch.ne`. */
  ne(x: Self | number): Self {
    return this.#compare('ne', x, 'ne')
  }

  /** Whether elements are less than `x`, as bool. `torch.lt`. */
  lt(x: Self | number): Self {
    return this.#compare('lt', x, 'lt')
  }

  /** Whether elements are at most `x`, as bool. `torch.le`. */
  le(x: Self | number): Self {
    return this.#compare('le', x, 'le')
  }

  /** Whether elements are greater than `x`, as bool. `torch.gt`. */
  gt(x: Self | number): Self {
    return this.#compare('lt', x, 'gt', true)
  }

  /** Whether elements are at least `x`, as bool. `torch.ge`. */
  ge(x: Self | number): Self {
    return this.#compare('le', x, 'ge', true)
  }

  #softmax(log: boolean, name: string, dim: number): Self {
    const result = this.#new(ops.softmax(log, this, dim))
    return record(result, name, [this.#self], (save) => derivatives.softmax(log, result, dim, save))
  }

  /** `exp(x) / sum(exp(x))` along a dimension. `torch.softmax`. */
  softmax(dim: number): Self {
    return this.#softmax(false, 'SoftmaxBackward', this.#dim(dim, 'softmax'))
  }

  /** The logarithm of `softmax`, computed directly. `torch.log_softmax`. */
  logSoftmax(dim: number): Self {
    return this.#softmax(true, 'LogSoftmaxBackward', this.#dim(dim, 'logSoftmax'))
  }

  /** Checks dimensions, and returns them in order; all of them if none are given. */
  #dims(dims: number | readonly number[] | undefined, where: string): number[] {
    const { length } = this.shape
    if (dims === undefined || (isArray(dims) && dims.length === 0)) return this.shape.map((_, d) => d)
    const given = isArray(dims)
      ? eachOf(dims as number[], (dim) => this.#dim(dim as number, where))
      : [this.#dim(dims as number, where)]
    if (new Set(given).size < given.length) throw new ShapeError(`${where}: a dimension is given twice: ${show(dims)}`)
    return given.filter((dim) => dim < length).sort((a, b) => a - b)
  }

  #reduce(
    op: 'sum' | 'mean',
    name: string,
    dims: number | readonly number[] | undefined,
    options?: ReduceOptions,
  ): Self {
    const { keepdim = false } = checkOptions(options, ['keepdim'], op)
    checkBoolean(keepdim, `${op}: keepdim`)
    // All dimensions, or one of them, need no lists.
    if (!keepdim && (dims === undefined || typeof dims === 'number')) {
      const made = ops.reduce(op, this, dims === undefined ? undefined : this.#dim(dims, op))
      return this.#made(made, name, [this.#self], () => derivatives.reduction(op, this, this.#dims(dims, op)))
    }
    const along = this.#dims(dims, op)
    const kept = this.shape.filter((_, d) => !along.includes(d))
    const shape = keepdim ? this.shape.map((n, d) => (along.includes(d) ? 1 : n)) : kept
    const reduced = () => {
      if (along.length === this.shape.length) return ops.reduce(op, this, undefined)
      const { x, dim } = gathered(this, along)
      return temporary(x, () => ops.reduce(op, x, dim))
    }
    const made = along.length === 0 ? temporary(this.alias([1]), (one) => ops.reduce(op, one, 0)) : reduced()
    const shaped = sameShape(made.shape, shape) ? made : temporary(made, () => made.alias(shape))
    return this.#made(shaped, name, [this.#self], () => derivatives.reduction(op, this, along))
  }

  /**
   * The sum along one dimension or several, or of all elements. Floats are summed in float64 and rounded once; integers
   * give int64. `torch.sum`.
   */
  sum(dim?: number | readonly number[], options?: ReduceOptions): Self {
    return this.#reduce('sum', 'SumBackward', dim, options)
  }

  /**
   * The mean along one dimension or several, or of all elements, computed in float64 and rounded once. `torch.mean`.
   */
  mean(dim?: number | readonly number[], options?: ReduceOptions): Self {
    return this.#reduce('mean', 'MeanBackward', dim, options)
  }

  /** Elements found along a dimension; the gradient of the values goes where they were found. */
  #top(extreme: select.Extreme, k: number, dim: number, where: string, name: string): Found<Self> {
    if (this.dtype === 'bool') throw new DTypeError(`${where}: the tensor must be of numbers, not bool`)
    const { values, indices } = select.top(extreme, this, dim, k, where)
    const found = this.#new(indices)
    const made = this.#made(values, name, [this.#self], (save) => {
      const of = save(found)
      const picks = () => ({ indices: of().steady(), shape: found.shape, count: k, each: true })
      return choices.taken(this, dim, picks, where)
    })
    return { values: made, indices: found }
  }

  #extremeAlong(
    extreme: select.Extreme,
    dim: number,
    where: string,
    name: string,
    options?: ReduceOptions,
  ): Found<Self> {
    const { keepdim = false } = checkOptions(options, ['keepdim'], where)
    checkBoolean(keepdim, `${where}: keepdim`)
    const at = this.#dim(dim, where)
    if (this.shape[at] === 0) throw new ShapeError(`${where}: dimension ${at} of shape ${shown(this.shape)} is empty`)
    const { values, indices } = this.#top(extreme, 1, at, where, name)
    if (keepdim || this.shape.length === 0) return { values, indices }
    const shape = this.shape.filter((_, d) => d !== at)
    const short = { values: reshaped<Self>(values, shape), indices: reshaped<Self>(indices, shape) }
    for (const long of [values, indices]) (long as Elements).dispose()
    return short
  }

  #extremeOfAll(extreme: select.Extreme, where: string, name: string): Self {
    if (this.size === 0) throw new ShapeError(`${where}: a tensor of shape ${shown(this.shape)} has no elements`)
    const { values, indices } = temporary(this.alias([this.size]), (flat) => select.top(extreme, flat, 0, 1, where))
    indices.dispose()
    const result = this.#new(temporary(values, () => values.alias([])))
    return record(result, name, [this.#self], (save) => choices.extremeOfAll(this.#self, result, save))
  }

  /**
   * The largest of all elements, or with `dim` the largest along it and their places, of which the first counts. NaN is
   * the largest of all. `torch.max`.
   */
  max(): Self
  max(dim: number, options?: ReduceOptions): Found<Self>
  max(dim?: number, options?: ReduceOptions): Self | Found<Self> {
    if (dim === undefined) return this.#extremeOfAll('largest', 'max', 'MaxBackward')
    return this.#extremeAlong('largest', dim, 'max', 'MaxBackward', options)
  }

  /** The smallest, as `max`; NaN is the smallest of all. `torch.min`. */
  min(): Self
  min(dim: number, options?: ReduceOptions): Found<Self>
  min(dim?: number, options?: ReduceOptions): Self | Found<Self> {
    if (dim === undefined) return this.#extremeOfAll('minimum', 'min', 'MinBackward')
    return this.#extremeAlong('minimum', dim, 'min', 'MinBackward', options)
  }

  #place(extreme: select.Extreme, dim: number | undefined, where: string, options?: ReduceOptions): Self {
    const of = dim === undefined ? (this.over(this.alias([this.size])) as unknown as this) : this
    const { values, indices } = of.#extremeAlong(extreme, dim ?? 0, where, '', options)
    ;(values as Elements).dispose()
    if (of !== this) of.dispose()
    return indices
  }

  /** The place of the largest element, as int32: along a dimension, or among all elements. `torch.argmax`. */
  argmax(dim?: number, options?: ReduceOptions): Self {
    return this.#place('largest', dim, 'argmax', options)
  }

  /** The place of the smallest element, as `argmax`. `torch.argmin`. */
  argmin(dim?: number, options?: ReduceOptions): Self {
    return this.#place('minimum', dim, 'argmin', options)
  }

  /**
   * The `k` largest elements along a dimension (default: the last) in falling order, and their places as int32; with
   * `largest: false` the smallest in rising order. Of equal elements the first come first. `torch.topk`.
   */
  topk(k: number, dim = -1, options?: { largest?: boolean }): Found<Self> {
    const { largest = true } = checkOptions(options, ['largest'], 'topk')
    checkBoolean(largest, 'topk: largest')
    const at = this.#dim(dim, 'topk')
    return this.#top(largest ? 'largest' : 'smallest', checkSize(k, 'topk: k'), at, 'topk', 'TopkBackward')
  }

  /** The elements in order along a dimension (default: the last), and their places as int32; stable. `torch.sort`. */
  sort(dim = -1, options?: { descending?: boolean }): Found<Self> {
    const { descending = false } = checkOptions(options, ['descending'], 'sort')
    checkBoolean(descending, 'sort: descending')
    const at = this.#dim(dim, 'sort')
    return this.#top(descending ? 'largest' : 'smallest', this.shape[at] ?? 1, at, 'sort', 'SortBackward')
  }

  /**
   * `torch.where`: this tensor's elements where the condition (bool) is true, else those of `other`, with broadcasting.
   */
  where(condition: Self, other: Self | number): Self {
    const by = this.#operand(other, 'where')
    if (!(condition instanceof Operations))
      throw new UsageError(`where: the condition must be a tensor, not ${show(condition)}`)
    const b: Elements = typeof by === 'number' ? this.#scalar(by) : by
    const made = select.where(condition, this, b)
    if (typeof by === 'number') b.dispose()
    const inputs = [this.#self, by]
    const second = typeof by === 'number' ? null : by
    return this.#made(made, 'WhereBackward', inputs, (save) => choices.where(condition, this, second, save))
  }

  /** A number as elements of shape [], in this tensor's type. */
  #scalar(value: number): Elements {
    const dtype = isFloat(this.dtype) || Number.isInteger(value) ? this.dtype : 'float32'
    const array = elementsOf([value], dtype, 'where')
    const made = Elements.uninitialized(dtype, [])
    ;(made.borrow() as Float32Array).set(array as Float32Array)
    return made
  }

  #taken(
    { of, isNew }: Indices,
    dim: number,
    each: boolean,
    shape: readonly number[],
    [where, name]: readonly [string, string],
  ): Self {
    const count = each ? (of.shape[dim] ?? 1) : of.size
    const picks = (index: Elements) => ({ indices: index.steady(), shape: index.shape, count, each })
    try {
      const made = select.take(this, dim, picks(of), shape, where)
      return this.#made(made, name, [this.#self], (save) => {
        const saved = save(of)
        return choices.taken(this, dim, () => picks(saved()), where)
      })
    } finally {
      if (isNew) of.dispose()
    }
  }

  /**
   * The rows at some indices, `x[index]` in PyTorch: of the shape of `index`, then the shape of a row. Repeated indices
   * give repeated rows; their gradients are added. A bool tensor of this tensor's first dimension chooses its true
   * rows.
   *
   * @throws TokenIndexError for an index out of range; negative ones count from the end.
   */
  index(index: Self | IntArray | Nested[]): Self {
    const where = 'index'
    if (this.shape.length === 0) throw new ShapeError(`${where}: a scalar has no rows`)
    const given =
      index instanceof Operations && index.dtype === 'bool'
        ? placesOf(index, this.shape, where)
        : indicesOf(index, where)
    const whole = fromEnd(given, this.shape[0])
    return this.#taken(whole, 0, false, [...given.of.shape, ...this.shape.slice(1)], [where, 'IndexBackward'])
  }

  /** The elements at some indices of a dimension, which becomes as long as `index`. `torch.index_select`. */
  indexSelect(dim: number, index: Self | IntArray | Nested[]): Self {
    const where = 'indexSelect'
    const at = this.#dim(dim, where)
    const given = indicesOf(index, where)
    if (given.of.shape.length > 1)
      throw new ShapeError(`${where}: indices must have one dimension, not the shape ${shown(given.of.shape)}`)
    const shape = this.shape.map((n, d) => (d === at ? given.of.size : n))
    return this.#taken(given, at, false, shape, [where, 'IndexSelectBackward'])
  }

  /**
   * For each place of `index`, the element with that index along `dim`. `index` has this tensor's shape but for `dim`.
   * `torch.gather`.
   */
  gather(dim: number, index: Self | IntArray | Nested[]): Self {
    const where = 'gather'
    const at = this.#dim(dim, where)
    const given = indicesOf(index, where)
    const { shape } = given.of
    if (shape.length !== this.shape.length || shape.some((n, d) => d !== at && n !== this.shape[d])) {
      throw new ShapeError(
        `${where}: indices of shape ${shown(shape)} may differ from ${shown(this.shape)} only in dimension ${at}`,
      )
    }
    return this.#taken(given, at, true, shape, [where, 'GatherBackward'])
  }

  /** The part at one index of a dimension, without that dimension. `torch.select`. */
  select(dim: number, index: number): Self {
    const at = checkDim(dim, this.shape.length, 'select')
    const n = this.shape[at]
    const from = checkInteger(index, 'select: index') < 0 ? index + n : index
    if (from < 0 || from >= n)
      throw new ShapeError(`select: index ${index} is out of range for dimension ${at} of shape ${shown(this.shape)}`)
    const part = this.narrow(at, from, 1)
    return reshaped<Self>(
      part,
      this.shape.filter((_, d) => d !== at),
    )
  }

  /**
   * Elements `start` to before `end` of a dimension, every `step`-th of them; negative numbers count from the end, and
   * numbers beyond it stop there, as in Python. `x[:, start:end:step]` in PyTorch.
   */
  slice(dim: number, start = 0, end = Infinity, step = 1): Self {
    const where = 'slice'
    const at = checkDim(dim, this.shape.length, where)
    checkSize(step, `${where}: step`, 1)
    const n = this.shape[at]
    const bound = (value: number) => Math.min(n, Math.max(0, value < 0 ? value + n : value))
    const from = bound(checkInteger(start, `${where}: start`))
    const to = bound(end === Infinity ? n : checkInteger(end, `${where}: end`))
    const length = Math.max(0, Math.ceil((to - from) / step))
    if (step === 1) return this.narrow(at, from, length)
    const made = movement.stepped(this, at, from, length, step)
    return this.#made(made, 'SliceBackward', [this.#self], () => choices.slice(this, at, from, step))
  }

  /**
   * Parts of a dimension: of `size` elements each, of which the last may be shorter, or of the given sizes, which must
   * add up. `torch.split`.
   */
  split(size: number | readonly number[], dim = 0): Self[] {
    const where = 'split'
    const at = checkDim(dim, this.shape.length, where)
    const n = this.shape[at]
    const sizes = isArray(size)
      ? eachOf(size as number[], (one, i) => checkSize(one, `${where}: size ${i}`))
      : Array.from({ length: Math.max(1, Math.ceil(n / checkSize(size, `${where}: size`, 1))) }, (_, i) =>
          Math.min(size as number, n - i * (size as number)),
        )
    if (sizes.reduce((sum, one) => sum + one, 0) !== n)
      throw new ShapeError(
        `${where}: sizes ${shown(sizes)} do not add up to dimension ${at} of shape ${shown(this.shape)}`,
      )
    let start = 0
    return sizes.map((length) => this.narrow(at, (start += length) - length, length))
  }

  /** `reshape`, under the name that PyTorch has for shapes over the same memory. `torch.Tensor.view`. */
  view(...shape: number[]): Self {
    return this.reshape(...shape)
  }

  /** The dimensions `from` to `to` as one. `torch.flatten`. */
  flatten(from = 0, to = -1): Self {
    const [first, last] = [this.#dim(from, 'flatten'), this.#dim(to, 'flatten')]
    if (first > last) throw new ShapeError(`flatten: dimension ${from} lies behind dimension ${to}`)
    const { shape } = this
    return reshaped<Self>(this, [
      ...shape.slice(0, first),
      sizeOf(shape.slice(first, last + 1)),
      ...shape.slice(last + 1),
    ])
  }

  /** A new dimension of size 1 before dimension `dim`. `torch.unsqueeze`. */
  unsqueeze(dim: number): Self {
    const at = checkDim(dim, this.shape.length + 1, 'unsqueeze')
    return reshaped<Self>(this, [...this.shape.slice(0, at), 1, ...this.shape.slice(at)])
  }

  /** Without the dimension `dim` if its size is 1, or without all dimensions of size 1. `torch.squeeze`. */
  squeeze(dim?: number): Self {
    const at = dim === undefined ? undefined : this.#dim(dim, 'squeeze')
    return reshaped<Self>(
      this,
      this.shape.filter((n, d) => n !== 1 || (at !== undefined && d !== at)),
    )
  }

  /**
   * The dimensions in another order, in new memory; dimension `i` of the result is dimension `dims[i]`.
   * `torch.permute`.
   */
  permute(...dims: number[]): Self {
    const where = 'permute'
    const order = dims.map((dim) => checkDim(dim, this.shape.length, where))
    if (order.length !== this.shape.length || new Set(order).size < order.length)
      throw new ShapeError(`${where}: ${shown(dims)} must name each of the ${this.shape.length} dimensions once`)
    const made = movement.permute(this, order, where)
    return this.#made(made, 'PermuteBackward', [this.#self], () => choices.permute(order))
  }

  /**
   * The elements repeated along dimensions of size 1 and along new leading ones, in new memory; -1 keeps a size.
   * `torch.Tensor.expand`.
   */
  expand(...shape: number[]): Self {
    const where = 'expand'
    const lead = shape.length - this.shape.length
    const sizes = shape.map((n, d) =>
      n === -1 && d >= lead ? this.shape[d - lead] : checkSize(n, `${where}: size ${d}`),
    )
    if (lead < 0 || !sameShape(broadcast(this.shape, sizes), sizes))
      throw new ShapeError(`${where}: shape ${shown(this.shape)} does not expand to ${shown(shape)}`)
    const made = movement.expand(this, sizes, where)
    return this.#made(made, 'ExpandBackward', [this.#self], () => choices.expand(this))
  }

  static {
    // Errors say Tensor, the class that users know.
    guardReceivers({ name: 'Tensor', prototype: this.prototype }, (value) => value instanceof Elements)
  }
}

/** A tensor in another shape of as many elements. */
function reshaped<Self>(x: unknown, shape: readonly number[]): Self {
  return (x as Operations<Self>).reshape(...shape)
}
