// A model of fastText as large as people have, made without training: what counts is its form.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'

const MAGIC = 793_712_314

/**
 * Writes an unsupervised model of `words` words and as many buckets. Its matrices are a hole, all zeros, unless
 * `filled` is given, which makes their rows.
 */
export function writeFastText(path: string, words: number, dim: number, filled = false): string {
  const head = Buffer.alloc(92)
  const numbers = [MAGIC, 12, dim, 5, 5, 5, 5, 1, 2, 2, words, 3, 6, 100]
  for (const [i, number] of numbers.entries()) head.writeInt32LE(number, 4 * i)
  head.writeDoubleLE(1e-4, 56)
  for (const [i, number] of [words, words, 0].entries()) head.writeInt32LE(number, 64 + 4 * i)
  head.writeBigInt64LE(BigInt(words), 76)
  head.writeBigInt64LE(-1n, 84)
  const file = openSync(path, 'w')
  let end = writeSync(file, head)
  const part = Buffer.alloc(1 << 20)
  for (let word = 0, at = 0; word < words; word++) {
    at += part.write(word === 0 ? '</s>' : `w${((word * 2_654_435_761) % 2 ** 32).toString(36)}x${word % 7}`, at)
    part.writeUInt8(0, at)
    part.writeBigInt64LE(BigInt(words - word), at + 1)
    part.writeUInt8(0, at + 9)
    at += 10
    if (at > part.length - 64 || word === words - 1) {
      end += writeSync(file, part, 0, at, end)
      at = 0
    }
  }
  for (const rows of [2 * words, words]) {
    const sizes = Buffer.alloc(17)
    sizes.writeBigInt64LE(BigInt(rows), 1)
    sizes.writeBigInt64LE(BigInt(dim), 9)
    end += writeSync(file, sizes, 0, 17, end)
    if (filled) {
      const block = Float32Array.from({ length: 1024 * dim }, (_, i) => Math.sin(i * 12.9898) / 2)
      for (let row = 0; row < rows; row += 1024)
        writeSync(file, block, 0, 4 * dim * Math.min(1024, rows - row), end + 4 * dim * row)
    }
    end += 4 * rows * dim
  }
  ftruncateSync(file, end)
  closeSync(file)
  return path
}
