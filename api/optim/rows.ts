// Gradients in rows, as a step takes them.

import { isDense, type Gradient } from '../autograd/tape.js'
import type { GradOperand } from '../native/native.js'
import { TableGradient } from '../autograd/table-gradient.js'
import type { Elements } from '../ops/elements.js'

/** A gradient: rows, where it is in rows and nobody looked at the dense one; else dense elements. */
export type Steps =
  | { readonly rows: GradOperand; readonly sparse: boolean }
  | { readonly rows: null; readonly dense: Elements }

/** A gradient as it is stepped with. */
export function steps(grad: Gradient): Steps {
  if (isDense(grad)) return { rows: null, dense: grad }
  const table = grad as TableGradient
  const rows = table.operand()
  return rows === null ? { rows, dense: table.changeable() } : { rows, sparse: isSparse(grad) }
}

/** Whether it shows rows: of the table of a layer made with `sparse: true`. */
export function isSparse(grad: Gradient): boolean {
  return grad instanceof TableGradient && grad.sparse
}

/** What counts of a gradient, to be changed in place. */
export function changeable(grad: Gradient): Elements {
  return isDense(grad) ? grad : (grad as TableGradient).changeable()
}
