// A gradient in rows that a test makes, as layers make theirs.

import type { Gradient } from '../../api/autograd.js'
import type { RowOperands, SteppedRows } from '../../api/optim/rows.js'
import { tensor, type Tensor } from '../../index.js'

/** Rows of a table of a shape; ids ascend. */
export class GivenRows implements SteppedRows {
  readonly dtype = 'float32'
  constructor(
    readonly shape: readonly number[],
    readonly ids: readonly number[],
    readonly rows: Tensor,
    readonly sparse = true,
  ) {}

  operands(): RowOperands {
    return { ids: Uint32Array.from(this.ids), rows: this.rows.operand() }
  }

  summed(): Tensor {
    return this.rows
  }

  plus(): Gradient {
    throw new Error('not of a test')
  }

  shown(): Tensor {
    const dense = new Float32Array(this.shape[0] * this.shape[1])
    const rows = this.rows.data as Float32Array
    const dim = this.shape[1]
    this.ids.forEach((id, i) => dense.set(rows.subarray(i * dim, i * dim + dim), id * dim))
    return tensor(dense, { shape: [...this.shape] })
  }

  dispose(): void {}
}

/** The rows of a dense gradient. */
export function rowsOf(dense: Tensor, ids: readonly number[], sparse = true): GivenRows {
  const data = dense.data as Float32Array
  const dim = dense.shape[1]
  const rows = new Float32Array(ids.length * dim)
  ids.forEach((id, i) => rows.set(data.subarray(id * dim, id * dim + dim), i * dim))
  return new GivenRows(dense.shape, ids, tensor(rows, { shape: [ids.length, dim] }), sparse)
}
