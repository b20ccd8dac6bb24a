// Compares tensors to the bit, or within a number of units in the last place.

import { createHash } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import type { Tensor, TypedArray } from '../../index.js'
import { dtypeOf, elements, type Golden } from './golden.js'

/** SHA-256 of the elements' bytes. */
export function digest(x: Tensor | ArrayBufferView): string {
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(x) ? x : x.data
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex')
}

/** Asserts type, shape and every bit. All NaNs are considered equal. */
export function isGolden(t: ExecutionContext, found: Tensor, golden: Golden, what: string): void {
  withinUlp(t, found, golden, 0, what)
}

/** Asserts type, shape, and every element within `ulp` units in the last place. */
export function withinUlp(t: ExecutionContext, found: Tensor, golden: Golden, ulp: number, what: string): void {
  t.is(found.dtype, dtypeOf(golden), what)
  t.deepEqual(found.shape, golden.s, what)
  const [a, b] = [ordinals(found.data, found.dtype), ordinals(elements(golden), found.dtype)]
  const bad = a.findIndex((ordinal, i) => distance(ordinal, b[i]) > BigInt(ulp))
  t.is(
    bad,
    -1,
    `${what}: element ${bad} is ${found.data[bad]}, and ${golden.v[bad]} in PyTorch, further than ${ulp} ulp`,
  )
}

/** Elements as integers in the same order, so that adjacent values differ by one; null for NaN. */
function ordinals(data: TypedArray, dtype: string): (bigint | null)[] {
  const width = BigInt(data.BYTES_PER_ELEMENT * 8)
  const bits = Array.from({ length: data.length }, (_, i) => rawBits(data, i))
  if (!dtype.includes('float')) return bits
  const sign = 1n << (width - 1n)
  const infinity = INFINITIES[dtype]
  // For negative numbers the bits grow with the magnitude. -0 is one below 0, so that the two differ.
  return bits.map((b) => ((b & (sign - 1n)) > infinity ? null : b & sign ? sign - 1n - b : b))
}

const INFINITIES: Record<string, bigint> = {
  float16: 0x7c00n,
  bfloat16: 0x7f80n,
  float32: 0x7f80_0000n,
  float64: 0x7ff0_0000_0000_0000n,
}

function rawBits(data: TypedArray, i: number): bigint {
  const size = data.BYTES_PER_ELEMENT
  const bytes = new DataView(data.buffer, data.byteOffset + i * size, size)
  if (size === 8) return bytes.getBigUint64(0, true)
  return BigInt(size === 4 ? bytes.getUint32(0, true) : size === 2 ? bytes.getUint16(0, true) : bytes.getUint8(0))
}

function distance(a: bigint | null, b: bigint | null | undefined): bigint {
  if (a === null || b === null || b === undefined) return a === b ? 0n : 1n << 64n
  return a > b ? a - b : b - a
}
