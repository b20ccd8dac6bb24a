// The gradient of a table as rows.

import type { Tensor } from './tensor.js'

/** Rows of a table's gradient: ids sorted and unique (int32), rows (ids.length x dim). */
export interface SparseGrad {
  readonly ids: Tensor
  readonly rows: Tensor
  readonly shape: readonly number[]
  toDense(): Tensor
}
