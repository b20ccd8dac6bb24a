// Gradients in rows, as a step takes them.

import type { Gradient, RowsGradient } from '../autograd.js'
import { isTensor } from '../autograd.js'
import type { Operand } from '../native.js'
import type { Tensor } from '../tensor.js'

/** Rows for the native side: summed, or with where they stand in the gradient of the output. */
export interface RowOperands {
  readonly ids: Uint32Array
  readonly rows: Operand
  readonly starts?: Uint32Array
  readonly places?: Uint32Array
  readonly coefficients?: Operand
}

/** A gradient in rows that can be stepped with as it is. */
export interface SteppedRows extends RowsGradient {
  /** Whether its layer was made with `sparse: true`. */
  readonly sparse: boolean
  operands(): RowOperands
  /** Its rows, summed, to be changed in place. */
  summed(): Tensor
}

/** It, if it is in rows. */
export function inRows(grad: Gradient): SteppedRows | null {
  return isTensor(grad) ? null : (grad as SteppedRows)
}
