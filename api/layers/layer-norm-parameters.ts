// What a layer normalization learns.

import { zeroTable } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import { zeroed } from '../memory/arrays.js'

/** The learned part of a layer normalization: `y = (x - mean) / sqrt(variance + eps) * weight + bias`. */
export class LayerNormParameters {
  /** A factor for each column, (dim); ones at first. */
  readonly weight: Tensor
  /** A term for each column, (dim); zeros at first. */
  readonly bias: Tensor
  /** The number added to the variance. */
  readonly eps: number

  /** @internal */
  constructor(weight: Tensor, bias: Tensor, eps: number) {
    this.weight = weight
    this.bias = bias
    this.eps = eps
  }

  /** The parameters of a new layer. @internal */
  static made(dim: number, eps: number): LayerNormParameters {
    const make = () => zeroTable('float32', [dim])
    const [weight, bias] = [make().set(zeroed(Float32Array, dim).fill(1)), make()]
    weight.requiresGrad = bias.requiresGrad = true
    return new LayerNormParameters(weight, bias, eps)
  }
}
