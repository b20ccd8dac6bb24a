// The rows of a table as float32, a part at a time: no array needs to hold a whole table.

import type { Tensor } from './tensor.js'

/** Elements that are converted at a time. */
const STEP = 2 ** 22

/** Calls `visit` with every row of a table of floats, in order; the array is another's at the next call. */
export function eachRow(table: Tensor, visit: (row: Float32Array, id: number) => void): void {
  const [rows, dim] = table.shape
  // Nothing of this is recorded.
  const source = table.detach()
  const step = Math.max(1, Math.floor(STEP / dim))
  for (let from = 0; from < rows; from += step) {
    const count = Math.min(step, rows - from)
    const part = source.narrow(0, from, count)
    const floats = part.dtype === 'float32' ? part : part.to('float32')
    const values = floats.borrow() as Float32Array
    for (let i = 0; i < count; i++) visit(values.subarray(i * dim, (i + 1) * dim), from + i)
    floats.checkWhole()
    if (floats !== part) floats.dispose()
    part.dispose()
  }
  source.dispose()
}
