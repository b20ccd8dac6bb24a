// Gradients in rows, in the form that a step takes.

import { isDense, type Gradient } from '../autograd/tape.js'
import type { GradOperand } from '../native/native.js'
import { TableGradient } from '../autograd/table-gradient.js'
import type { Elements } from '../ops/elements.js'

/** A gradient for a step: rows if it is in rows and its dense form was never read, or else dense elements. */
export type Steps =
  | { readonly rows: GradOperand; readonly sparse: boolean }
  | { readonly rows: null; readonly dense: Elements }

/** The form of a gradient that a step takes. */
export function steps(grad: Gradient): Steps {
  if (isDense(grad)) return { rows: null, dense: grad }
  const table = grad as TableGradient
  const rows = table.operand()
  return rows === null ? { rows, dense: table.changeable() } : { rows, sparse: isSparse(grad) }
}

/** Calls `use` with the elements of a gradient; those of rows are written out for it, and freed afterwards. */
export function withDense(grad: Gradient, use: (dense: Elements) => void): void {
  const by = steps(grad)
  if (by.rows === null) return use(by.dense)
  const dense = (grad as TableGradient).dense()
  try {
    use(dense)
  } finally {
    dense.dispose()
  }
}

/** Whether callers see the gradient as rows, as for the table of a layer made with `sparse: true`. */
export function isSparse(grad: Gradient): boolean {
  return grad instanceof TableGradient && grad.sparse
}

/** The elements that hold a gradient, to be changed in place. */
export function changeable(grad: Gradient): Elements {
  return isDense(grad) ? grad : (grad as TableGradient).changeable()
}
