// Reads fixtures under testdata/golden, and the tensors in them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tensor, type DType, type Tensor, type TypedArray } from '../../index.js'

export const root = join(__dirname, '../../..')

export function readGolden<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, 'testdata/golden', path), 'utf8'))
}

/**
 * A tensor of a fixture: type, shape and elements. 16-bit floats are their bits, and values that JSON lacks are
 * strings.
 */
export interface Golden {
  t: DType | 'int16'
  s: number[]
  v: (number | string)[]
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
}

/** The elements in the form of `Tensor.data`. PyTorch's int16 becomes int32. */
export function elements({ t, v }: Golden): TypedArray {
  if (t === 'int64') return BigInt64Array.from(v, BigInt)
  return (ARRAYS[t] as Float32ArrayConstructor).from(v, Number)
}

export const dtypeOf = ({ t }: Golden): DType => (t === 'int16' ? 'int32' : t)

export function fromGolden(golden: Golden): Tensor {
  return tensor(elements(golden), { dtype: dtypeOf(golden), shape: golden.s })
}
