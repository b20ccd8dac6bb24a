// Files with a huge size that take little room on the disk.

import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs'

/** Bytes, and their offset in a tensor. */
export interface Written {
  at: number
  bytes: Float32Array | Int8Array
}

/**
 * Writes a safetensors file with one tensor called x, all zeros except for the given bytes. Returns null, or the reason
 * if the file system has no sparse files or no room for the file.
 */
export function writeSparse(
  path: string,
  dtype: string,
  shape: number[],
  bytes: number,
  written: Written[],
): string | null {
  const header = JSON.stringify({ x: { dtype, shape, data_offsets: [0, bytes] } })
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  const file = openSync(path, 'w')
  try {
    writeSync(file, Buffer.concat([length, padded]), 0, 8 + padded.length, 0)
    ftruncateSync(file, 8 + padded.length + bytes)
    if (statSync(path).blocks * 512 > 2 ** 20) return 'the file system has no sparse files'
    for (const { at, bytes } of written) writeSync(file, bytes, 0, bytes.byteLength, 8 + padded.length + at)
    return null
  } catch (error) {
    return `no file of ${bytes} bytes: ${(error as Error).message}`
  } finally {
    closeSync(file)
  }
}
