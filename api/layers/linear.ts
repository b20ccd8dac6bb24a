// Layers that are not tables: Linear, LayerNorm and Dropout.

import { Contents } from '../base/contents.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import { shown } from '../base/shape.js'
import { checkBoolean, checkNumber, checkOptions, checkShape, checkSize, show } from '../base/validate.js'
import { scope } from '../memory/scope.js'
import { zeroTable } from '../tensor/allocate.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { Tensor } from '../tensor/tensor.js'
import { dropout, layerNorm } from './functional.js'
import { loadInto, type Layer } from './layer.js'

export interface LinearOptions {
  /** Whether there is a bias; default true. */ bias?: boolean
  /** Draws the parameters; default: the default generator. */ generator?: Generator
  /** default 'float32' */ dtype?: 'float32' | 'float64'
}

const CONTENTS = new Contents<Linear>('A layer', { instead: 'save stateDict() and restore it with loadStateDict()' })
const NORMS = new Contents<LayerNorm>('A layer', { instead: 'save stateDict() and restore it with loadStateDict()' })
const DROPOUTS = new Contents<Dropout>('A layer', { instead: 'make another one with the same p' })

/** A float option for the type of a layer. */
function checkType(dtype: unknown, where: string): 'float32' | 'float64' {
  if (dtype === 'float32' || dtype === 'float64') return dtype
  throw new UsageError(`${where}: dtype must be "float32" or "float64", not ${show(dtype)}`)
}

/**
 * A linear layer: `y = x W^T + b`. Parameters are drawn from U(-1 / sqrt(in), 1 / sqrt(in)), the weight first, with the
 * bits of `torch.nn.Linear`.
 *
 * ```ts
 * const layer = new Linear(64, 8)
 * const y = layer.forward(randn(4, 64)) // (4, 8)
 * ```
 */
export class Linear implements Layer {
  /** (out, in) */
  readonly weight: Tensor
  /** (out); null without a bias. */
  readonly bias: Tensor | null
  readonly #in: number
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * A layer from vectors of `inFeatures` elements to vectors of `outFeatures`. @throws UsageError for other sizes than
   * whole numbers.
   */
  constructor(inFeatures: number, outFeatures: number, options?: LinearOptions) {
    const where = 'Linear'
    const { bias = true, generator, dtype = 'float32' } = checkOptions(options, ['bias', 'generator', 'dtype'], where)
    checkSize(inFeatures, `${where}: inFeatures`)
    checkSize(outFeatures, `${where}: outFeatures`)
    checkBoolean(bias, `${where}: bias`)
    const source = checkGenerator(generator, where)
    checkType(dtype, where)
    checkShape([outFeatures, inFeatures], dtype === 'float32' ? 4 : 8, where)
    this.#in = inFeatures
    const bound = inFeatures === 0 ? 0 : 1 / Math.sqrt(inFeatures)
    // As kaiming_uniform_ with a = sqrt(5) computes it.
    const ofWeight =
      inFeatures === 0 ? 0 : Math.sqrt(3) * (Math.sqrt(2 / (1 + Math.sqrt(5) ** 2)) / Math.sqrt(inFeatures))
    const drawn = (shape: number[], limit: number) => {
      const made = zeroTable(dtype, shape)
      if (made.size > 0 && dtype === 'float64') source.uniform64(made.operand(), -limit, limit)
      else if (made.size > 0) source.uniform(made.operand(), -limit, limit)
      made.requiresGrad = true
      return made
    }
    this.weight = drawn([outFeatures, inFeatures], ofWeight)
    this.bias = bias ? drawn([outFeatures], bound) : null
  }

  /** (..., in) to (..., out). @throws ShapeError for vectors of another size. */
  forward(x: Tensor): Tensor {
    const where = 'Linear.forward'
    if (!(x instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(x)}`)
    if (x.shape.at(-1) !== this.#in)
      throw new ShapeError(`${where}: the last dimension must be ${this.#in}, not as in ${shown(x.shape)}`)
    return scope(() => {
      const y = x.matmul(this.weight.transpose(0, 1))
      return this.bias === null ? y : y.add(this.bias)
    })
  }

  /** The weight and the bias. */
  parameters(): Tensor[] {
    return this.bias === null ? [this.weight] : [this.weight, this.bias]
  }

  /** `weight` and `bias`, as in PyTorch. */
  stateDict(): Record<string, Tensor> {
    return this.bias === null ? { weight: this.weight } : { weight: this.weight, bias: this.bias }
  }

  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'Linear.loadStateDict')
    return this
  }

  /** Frees the parameters. */
  dispose(): void {
    for (const parameter of this.parameters()) parameter.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(this, (value) => #in in value)
    CONTENTS.guard(this, (value) => #in in value)
  }
}

export interface LayerNormOptions {
  /** Added to the variance; default 1e-5. */ eps?: number
  /** Whether rows are multiplied by a learned weight; default true. */ elementwiseAffine?: boolean
  /** Whether a learned bias is added, if there is a weight; default true. */ bias?: boolean
  /** default 'float32' */ dtype?: 'float32' | 'float64'
}

/**
 * Layer normalization with its parameters, ones and zeros at first. Ba, Kiros, Hinton 2016; `torch.nn.LayerNorm`.
 *
 * ```ts
 * const norm = new LayerNorm(64)
 * const y = norm.forward(randn(4, 64)) // each row with mean 0 and variance 1
 * ```
 */
export class LayerNorm implements Layer {
  /** The shape of a row: the last dimensions of what is normalized. */
  readonly normalizedShape: readonly number[]
  /** Of the shape of a row; null without `elementwiseAffine`. */
  readonly weight: Tensor | null
  /** Of the shape of a row, or null. */
  readonly bias: Tensor | null
  readonly #eps: number
  /** @internal */
  readonly structuredClone = NORMS.uncloneable

  /** A layer for rows of `shape`, which may be one number. @throws UsageError for invalid sizes. */
  constructor(shape: number | readonly number[], options?: LayerNormOptions) {
    const where = 'LayerNorm'
    const known = ['eps', 'elementwiseAffine', 'bias', 'dtype']
    const { eps = 1e-5, elementwiseAffine = true, bias = true, dtype = 'float32' } = checkOptions(options, known, where)
    checkType(dtype, where)
    const sizes = checkShape(typeof shape === 'number' ? [shape] : shape, dtype === 'float32' ? 4 : 8, where)
    if (sizes.length === 0) throw new ShapeError(`${where}: a row must have at least one dimension`)
    if (checkNumber(eps, `${where}: eps`) < 0) throw new UsageError(`${where}: eps must not be negative, not ${eps}`)
    checkBoolean(elementwiseAffine, `${where}: elementwiseAffine`)
    checkBoolean(bias, `${where}: bias`)
    this.normalizedShape = Object.freeze(sizes)
    this.#eps = eps
    const made = (value: number) => {
      const parameter = zeroTable(dtype, [...sizes])
      if (value !== 0) parameter.set(new Float32Array(parameter.size).fill(value))
      parameter.requiresGrad = true
      return parameter
    }
    this.weight = elementwiseAffine ? made(1) : null
    this.bias = elementwiseAffine && bias ? made(0) : null
  }

  /** What is added to the variance. */
  get eps(): number {
    return this.#eps
  }

  /** Normalizes the last dimensions. @throws ShapeError if they are not the layer's. */
  forward(x: Tensor): Tensor {
    const where = 'LayerNorm.forward'
    if (!(x instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(x)}`)
    const rank = this.normalizedShape.length
    const row = x.shape.slice(-rank)
    if (shown(row) !== shown(this.normalizedShape)) {
      throw new ShapeError(
        `${where}: the last dimensions must be ${shown(this.normalizedShape)}, not as in ${shown(x.shape)}`,
      )
    }
    if (this.weight !== null || rank === 1)
      return layerNorm(x, this.weight ?? undefined, this.bias ?? undefined, this.#eps)
    return scope(() => layerNorm(x.flatten(-rank), undefined, undefined, this.#eps).reshape(...x.shape))
  }

  /** The parameters that there are. */
  parameters(): Tensor[] {
    return Object.values(this.stateDict())
  }

  /** `weight` and `bias`, as in PyTorch. */
  stateDict(): Record<string, Tensor> {
    return {
      ...(this.weight === null ? {} : { weight: this.weight }),
      ...(this.bias === null ? {} : { bias: this.bias }),
    }
  }

  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'LayerNorm.loadStateDict')
    return this
  }

  /** Frees the parameters. */
  dispose(): void {
    for (const parameter of this.parameters()) parameter.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(this, (value) => #eps in value)
    NORMS.guard(this, (value) => #eps in value)
  }
}

/**
 * Sets elements to 0 with probability p while training, and multiplies the others by `1 / (1 - p)`; after `eval()` it
 * changes nothing. Hinton et al. 2012; `torch.nn.Dropout`.
 */
export class Dropout implements Layer {
  /** The probability. */
  readonly p: number
  #training = true
  /** @internal */
  readonly structuredClone = DROPOUTS.uncloneable
  readonly #generator: Generator | undefined

  /** @throws UsageError for a probability outside of 0 to 1. */
  constructor(p = 0.5, options?: { generator?: Generator }) {
    const { generator } = checkOptions(options, ['generator'], 'Dropout')
    if (checkNumber(p, 'Dropout: p') < 0 || p > 1) throw new UsageError(`Dropout: p must be from 0 to 1, not ${p}`)
    this.p = p
    this.#generator = generator === undefined ? undefined : checkGenerator(generator, 'Dropout')
  }

  /** Whether elements are dropped. */
  get training(): boolean {
    return this.#training
  }

  /** Turns dropping on, or off with false. */
  train(mode = true): this {
    this.#training = checkBoolean(mode, 'Dropout.train: mode')
    return this
  }

  /** Turns dropping off. */
  eval(): this {
    return this.train(false)
  }

  /** What `dropout` does with x while training; afterwards another tensor over x's memory. */
  forward(x: Tensor): Tensor {
    if (!(x instanceof Tensor)) throw new UsageError(`Dropout.forward: expected a tensor, not ${show(x)}`)
    if (!this.#training) return x.reshape(...x.shape)
    return dropout(x, this.p, this.#generator === undefined ? {} : { generator: this.#generator })
  }

  /** None: nothing is learned. */
  parameters(): Tensor[] {
    return []
  }

  stateDict(): Record<string, Tensor> {
    return {}
  }

  loadStateDict(state: Record<string, Tensor>): this {
    loadInto({}, state, 'Dropout.loadStateDict')
    return this
  }

  static {
    guardReceivers(this, (value) => #training in value)
    DROPOUTS.guard(this, (value) => #training in value)
  }
}
