// A tensor converted to a number, to JSON, to text and to a digest for comparison.

import { Contents, type Hint } from '../base/contents.js'
import { facts, type DType } from '../base/dtype.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { shown, unravel } from '../base/shape.js'
import type { Elements } from '../ops/elements.js'
import { formatTensor } from './format.js'
import { elementAt } from './halves.js'
import { nested, plainAt } from './values.js'

/** The most elements that are written as JSON: about 20 MB of text. */
const MOST_IN_JSON = 2 ** 20

export const CONTENTS = new Contents<Elements>('Tensor', {
  instead: 'use data or toArray() for its numbers, share() for other threads',
  equal: (it) => (it.disposed ? 'disposed' : `${it.dtype} ${shown(it.shape)} ${digestOf(it)}`),
  primitive: primitiveOf,
})

/** The elements as nested arrays. @throws UsageError for values that JSON cannot represent. */
export function jsonOf(tensor: Elements): unknown {
  const { dtype, shape, size } = tensor
  const where = 'Tensor.toJSON'
  const instead = 'save it with saveSafetensors or saveNpy'
  if (size > MOST_IN_JSON)
    throw new UsageError(
      `${where}: ${size} elements are too many for JSON, at most ${MOST_IN_JSON} are allowed: ${instead}`,
    )
  const data = tensor.borrow()
  const json = nested(shape, (i) => {
    const value = plainAt(data, dtype, i)
    // JSON.stringify would write null, or throw without naming the element.
    if (typeof value !== 'bigint' && Number.isFinite(Number(value))) return value
    throw new UsageError(
      `${where}: the element at ${shown(unravel(i, shape))} is ${value}, which JSON cannot represent: ${instead}`,
    )
  })
  tensor.checkWhole()
  return json
}

/**
 * The only element, as a number; the printed tensor if text is wanted. @throws ShapeError if there is not exactly one.
 */
function primitiveOf(tensor: Elements, hint: Hint): number | bigint | boolean | string {
  const { shape, size } = tensor
  if (hint === 'string' || (hint === 'default' && size !== 1)) return tensor.toString()
  if (size !== 1)
    throw new ShapeError(
      `a tensor of shape ${shown(shape)} cannot be converted to a number: compute with methods such as add and mul, or read its elements from data`,
    )
  const value = plainAt(tensor.borrow(), tensor.dtype, 0)
  tensor.checkWhole()
  return value
}

/** The bits of infinity, without the sign: a float with greater bits is NaN. */
const INFINITIES: Partial<Record<DType, number>> = {
  float32: 0x7f800000,
  float64: 0x7ff00000,
  float16: 0x7c00,
  bfloat16: 0x7f80,
}

/** A 64-bit hash of the elements. All NaN hash alike; 0 and -0 hash differently. */
function digestOf(tensor: Elements): string {
  const data = tensor.borrow()
  const { bytes } = facts(tensor.dtype)
  const words = bytes < 4 ? (data as Uint16Array) : new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4)
  const step = bytes === 8 ? 2 : 1
  const magnitude = bytes === 2 ? 0x7fff : 0x7fffffff
  const infinity = INFINITIES[tensor.dtype] ?? Infinity
  let [a, b] = [0x2545f491, 0x6c078965]
  for (let i = 0; i < words.length; i += step) {
    const top = words[i + step - 1] & magnitude
    const isNaN = top > infinity || (step === 2 && top === infinity && words[i] !== 0)
    for (let k = i; k < i + step; k++) {
      const word = isNaN ? -1 : words[k]
      a = Math.imul(a ^ word, 0x5bd1e995)
      a ^= a >>> 15
      b = (Math.imul(b, 0x01000193) + a) | 0
      b ^= b >>> 13
    }
  }
  tensor.checkWhole()
  const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
  return hex(a) + hex(b)
}

/** The text of a tensor in PyTorch's layout; `suffixes` follow the elements. */
export function printed(tensor: Elements, suffixes: readonly string[]): string {
  const { dtype, shape, storageOffset, storage } = tensor
  storage.lag?.settle()
  const { bytes } = facts(dtype)
  const data = storage.live(tensor.size * bytes) ? tensor.borrow() : null
  // If `data` would copy the whole tensor, only the printed elements are read.
  const at = (i: number) =>
    data ? elementAt(data, dtype, i) : elementAt(storage.peek(dtype, storageOffset + i * bytes, 1), dtype, 0)
  return tensor.checkWhole(formatTensor({ data: data ?? [], at, shape, dtype, suffixes }))
}
