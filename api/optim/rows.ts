// Gradients in rows, as a step takes them.

import { isTensor, type Gradient } from '../autograd/tape.js'
import type { GradOperand } from '../native/native.js'
import { TableGradient } from '../autograd/table-gradient.js'
import type { Tensor } from '../tensor/tensor.js'

/** A gradient: rows, where it is in rows and nobody looked at the dense one; else a tensor. */
export type Steps = { readonly rows: GradOperand; readonly sparse: boolean } | { readonly rows: null; readonly dense: Tensor }

/** A gradient as it is stepped with. */
export function steps(grad: Gradient): Steps {
  if (isTensor(grad)) return { rows: null, dense: grad }
  const rows = (grad as TableGradient).operand()
  return rows === null ? { rows, dense: grad.shown() as Tensor } : { rows, sparse: isSparse(grad) }
}

/** Whether it shows rows: of the table of a layer made with `sparse: true`. */
export function isSparse(grad: Gradient): boolean {
  return grad instanceof TableGradient && grad.sparse
}

/** What counts of a gradient, to be changed in place. */
export function changeable(grad: Gradient): Tensor {
  return isTensor(grad) ? grad : (grad as TableGradient).changeable()
}
