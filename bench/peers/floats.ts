// Reads what another process wrote: float32 in the machine's byte order.

import { readFileSync } from 'node:fs'

export function readFloats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path)
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))
}
