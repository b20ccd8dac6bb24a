// Gradients in rows for tests, in the form that layers make.

import { call, native } from '../../api/native/native.js'
import { orderOf, TableGradient } from '../../api/autograd/table-gradient.js'
import { tensor, type Tensor } from '../../index.js'

/** Takes rows of a dense gradient, in the form that backward of a lookup leaves. Ids ascend. */
export function rowsOf(dense: Tensor, ids: readonly number[], sparse = true): TableGradient {
  const data = dense.data as Float32Array
  const [count, dim] = dense.shape
  const rows = new Float32Array(ids.length * dim)
  ids.forEach((id, i) => rows.set(data.subarray(id * dim, id * dim + dim), i * dim))
  const lookup = call(native.lookupNew({ format: 'float32', rows: count, dim, onBadId: 'throw', result: 'float32' }))
  const order = orderOf(ids.length, false, (block) => native.rowOrder(lookup, Uint32Array.from(ids), false, 1, block))
  return TableGradient.pending(
    { shape: dense.shape, dtype: 'float32', sparse },
    order,
    tensor(rows, { shape: [ids.length, dim] }),
  )
}
