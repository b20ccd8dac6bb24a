// The gradient of a table that users see when the layer was made with `sparse: true`.

import { summedOperand, typed } from '../autograd/table-gradient.js'
import { Contents } from '../base/contents.js'
import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { check, native } from '../native/native.js'
import { Elements } from '../ops/elements.js'
import type { Tensor } from './tensor.js'

const CONTENTS = new Contents<SparseGrad>('SparseGrad', {
  instead: 'use its tensors ids and rows, or toDense()',
  // The tensors `ids` and `rows` are compared besides.
  equal: (it) => `[${it.shape}]`,
})

/**
 * The gradient of a table in which a batch looked up some rows: `weight.grad` of a layer made with `sparse: true`. It
 * corresponds to PyTorch's coalesced sparse tensors: `ids` are the indices, `rows` the values.
 *
 * Each row is the sum over the id's occurrences in the batch, in their order: `toDense()` equals the dense gradient to
 * the bit.
 */
export class SparseGrad {
  /** The ids of the rows: int32 (n), ascending, each once. */
  readonly ids: Tensor
  /** The gradients of these rows: (n, dim), of the table's type. */
  readonly rows: Tensor
  /** Shape of the table. */
  readonly shape: readonly number[]
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  readonly #own = true

  private constructor(ids: Tensor, rows: Tensor, shape: readonly number[], key: symbol) {
    if (key !== PRIVATE) throw new UsageError('a SparseGrad comes from backward, not from new')
    this.ids = ids
    this.rows = rows
    this.shape = shape
  }

  /** A gradient that takes over both tensors. @internal */
  static over(ids: Tensor, rows: Tensor, shape: readonly number[]): SparseGrad {
    return new SparseGrad(ids, rows, shape, PRIVATE)
  }

  /** The type of the table. */
  get dtype(): DType {
    return this.rows.dtype
  }

  /** The dense gradient, of the table's shape and type: rows that the batch did not look up are zero. */
  toDense(): Tensor {
    const rows = this.rows.to('float32')
    const dense = Elements.uninitialized('float32', this.shape.slice())
    const done = native.rowsDense(summedOperand(this.ids, rows, this.dtype), this.shape[0], dense.operand())
    rows.dispose()
    check(done)
    return this.rows.over(typed(dense, this.dtype))
  }

  /** Frees both tensors. If this is the `grad` of a weight, set that to null. */
  dispose(): void {
    this.ids.dispose()
    this.rows.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return this.rows.disposed
      ? 'SparseGrad(disposed)'
      : `SparseGrad(shape=[${this.shape}], ids=${this.ids}, rows=${this.rows})`
  }

  /** The shape, the ids and the rows as nested arrays, for `JSON.stringify`. @throws UsageError as `Tensor.toJSON`. */
  toJSON(): { shape: number[]; ids: number[]; rows: number[][] } {
    return { shape: [...this.shape], ids: this.ids.toJSON(), rows: this.rows.toJSON() }
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #own in value && isInstance(this, SparseGrad, value)
  }

  static {
    guardReceivers(this, (value) => #own in value)
    CONTENTS.guard(this, (value) => #own in value)
  }
}

/** Keeps the constructor private at run time too. */
const PRIVATE = Symbol('by backward')
