// Single 16-bit floats as numbers, for printing and `toArray`: JavaScript has no array for these types.

import type { DType, TypedArray } from '../base/dtype.js'

const bits = new DataView(new ArrayBuffer(4))

function fromBfloat16(half: number): number {
  bits.setUint32(0, half << 16)
  return bits.getFloat32(0)
}

function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** Element `i` as a number, or as a bigint for int64. */
export function elementAt(data: TypedArray, dtype: DType, i: number): number | bigint {
  if (dtype === 'float16') return fromFloat16(Number(data[i]))
  if (dtype === 'bfloat16') return fromBfloat16(Number(data[i]))
  return data[i]
}
