// Absolute positions: sinusoids, and learned tables stretched to more positions.

import { facts } from '../../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../../base/errors.js'
import { native } from '../../native/native.js'
import { shown } from '../../base/shape.js'
import { zeroTable } from '../../tensor/allocate.js'
import { Tensor } from '../../tensor/tensor.js'
import { checkBoolean, checkBytes, checkNumber, checkOptions, checkSize, checkWord, show } from '../../base/validate.js'
import { target, written } from './made.js'

export interface SinusoidOptions {
  /** The limit that the wavelength of the slowest pair approaches, divided by 2 pi; default 10000. */
  maxWavelength?: number
  /** The columns of sines and cosines; default 'interleaved': side by side. 'half': all sines, then all cosines. */
  layout?: 'interleaved' | 'half'
  /** The first position; default 0. */
  offset?: number
  /** A float32 tensor of the result's shape to write to. */
  out?: Tensor
}

const SINUSOID_OPTIONS = ['maxWavelength', 'layout', 'offset', 'out']
const SINUSOID_LAYOUTS = ['interleaved', 'half'] as const

/**
 * Positions as sines and cosines, (length, dim). With `angle(p, i) = p / maxWavelength^(2i / dim)` for i below dim / 2,
 * row p has `sin(angle)` and `cos(angle)` in columns 2i and 2i + 1, or in columns i and dim / 2 + i with the layout
 * 'half'. Computed in float64 and rounded once. Vaswani et al. 2017 ("Attention is all you need", section 3.5);
 * Tensor2Tensor and Marian use 'half'.
 *
 * @throws UsageError for an odd dim, a wavelength that is not positive, and an unknown layout.
 */
export function sinusoidalPositions(length: number, dim: number, options?: SinusoidOptions): Tensor {
  const where = 'sinusoidalPositions'
  const {
    maxWavelength = 10000,
    layout = 'interleaved',
    offset = 0,
    out,
  } = checkOptions(options, SINUSOID_OPTIONS, where)
  checkSize(length, `${where}: length`)
  checkSize(dim, `${where}: dim`, 2)
  if (dim % 2 !== 0) throw new UsageError(`${where}: sines and cosines come in pairs: dim must be even, not ${dim}`)
  if (checkNumber(maxWavelength, `${where}: maxWavelength`) <= 0) {
    throw new UsageError(`${where}: maxWavelength must be positive, not ${maxWavelength}`)
  }
  checkWord(layout, SINUSOID_LAYOUTS, `${where}: layout`)
  checkSize(offset, `${where}: offset`)
  const result = target(out, [length, dim], 'float32', where)
  return written(
    result,
    out,
    native.sinusoidsForward({ first: offset, step: 1, dim, wavelength: maxWavelength, layout }, result.operand()),
  )
}

/**
 * Stretches a table of learned positions, (positions, dim), to `newLength` positions by linear interpolation, so that a
 * model takes longer sequences. The result is a new float32 table, which requires gradients if the old one did.
 * Computed in float64 and rounded once. `torch.nn.functional.interpolate(mode='linear')`, with both of its alignments:
 *
 * - `alignCorners: false` (the default, as in PyTorch): new position p lies at `(p + 0.5) * old / new - 0.5`, clamped
 *   to the table: positions are cells, and all of them shrink alike;
 * - `alignCorners: true`: new position p lies at `p * (old - 1) / (new - 1)`: the first and the last position keep
 *   their vectors.
 *
 * @throws ShapeError for a table that has no rows or is not a matrix; DTypeError for one that is not float32.
 */
export function interpolatePositions(weight: Tensor, newLength: number, options?: { alignCorners?: boolean }): Tensor {
  const where = 'interpolatePositions'
  const { alignCorners = false } = checkOptions(options, ['alignCorners'], where)
  checkBoolean(alignCorners, `${where}: alignCorners`)
  if (!(weight instanceof Tensor)) throw new UsageError(`${where}: weight must be a tensor, not ${show(weight)}`)
  if (weight.dtype !== 'float32')
    throw new DTypeError(`${where}: weight must be float32, not ${weight.dtype}: write weight.to('float32')`)
  checkSize(newLength, `${where}: newLength`)
  const { shape } = weight
  if (shape.length !== 2 || shape[0] === 0 || shape[1] === 0) {
    throw new ShapeError(
      `${where}: weight must have the shape [positions, dim], with at least one of each, not ${shown(shape)}`,
    )
  }
  const [rows, dim] = shape
  const bytes = newLength * dim * facts('float32').bytes
  checkBytes(bytes, where, shown([newLength, dim]))
  const result = zeroTable('float32', [newLength, dim])
  written(
    result,
    undefined,
    native.interpolateRows(weight.operand(), rows, dim, alignCorners, newLength, result.operand()),
  )
  result.requiresGrad = weight.requiresGrad
  return result
}
