// Writes GGUF files to measure with.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'

/** A tensor of a file; without bytes it is a hole, which reads as zeros. */
export interface GGUFTensor {
  name: string
  /** The number of its type: 0 is F32, 8 Q8_0, 12 Q4_K. */
  type: number
  rows: number
  dim: number
  /** The bytes of a row. */
  rowBytes: number
  bytes?: Uint8Array
}

const ALIGNMENT = 32
const aligned = (at: number) => Math.ceil(at / ALIGNMENT) * ALIGNMENT

/** Writes a file with texts, and lists of texts, as metadata. */
export function writeGGUF(
  path: string,
  metadata: Readonly<Record<string, string | readonly string[]>>,
  tensors: readonly GGUFTensor[],
): void {
  const parts: Buffer[] = []
  const u32 = (value: number) => parts.push(Buffer.from(Uint32Array.of(value).buffer))
  const u64 = (value: number) => parts.push(Buffer.from(BigUint64Array.of(BigInt(value)).buffer))
  const text = (value: string) => {
    const bytes = Buffer.from(value)
    u64(bytes.length)
    parts.push(bytes)
  }
  parts.push(Buffer.from('GGUF'))
  u32(3)
  u64(tensors.length)
  u64(Object.keys(metadata).length)
  for (const [key, value] of Object.entries(metadata)) {
    text(key)
    if (typeof value === 'string') {
      u32(8)
      text(value)
      continue
    }
    u32(9)
    u32(8)
    u64(value.length)
    value.forEach(text)
  }
  let end = 0
  const starts = tensors.map(({ name, type, rows, dim, rowBytes }) => {
    const start = end
    text(name)
    u32(2)
    u64(dim)
    u64(rows)
    u32(type)
    u64(start)
    end = aligned(start + rows * rowBytes)
    return start
  })
  const header = Buffer.concat(parts)
  const data = aligned(header.length)
  const file = openSync(path, 'w')
  writeSync(file, header)
  ftruncateSync(file, data + end)
  tensors.forEach(({ bytes }, i) => {
    if (bytes !== undefined) writeSync(file, bytes, 0, bytes.length, data + starts[i])
  })
  closeSync(file)
}
