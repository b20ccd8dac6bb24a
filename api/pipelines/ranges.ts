// The part of a list of files that one of several workers reads. Text is cut at bytes, so a rule says whose a record
// is: a range owns the records that begin in it. Together the workers read every record once, whatever their number.

import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { FileError, UsageError } from '../base/errors.js'
import type { FilePart, RecordFormat } from './records.js'

/** A file, or the records that begin in a range of its bytes. */
export interface FileRange {
  readonly file: string
  /** The first byte, and the one after the last. */
  readonly bytes: readonly [from: number, to: number]
  /** Whether this is the whole file. */
  readonly isWhole: boolean
}

/** One of several workers: number `index` of `count`, from 0. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** Sizes of files; a pipe, a folder and a missing file are errors. */
export function sizesOf(files: readonly string[], where: string): number[] {
  return files.map((file) => {
    let found
    try {
      found = statSync(file)
    } catch (cause) {
      throw new FileError(`${where}: cannot read ${file}: ${(cause as Error).message}`, file, cause)
    }
    if (!found.isFile())
      throw new UsageError(`${where}: ${file} is not a regular file, so it cannot be divided or read again`)
    return found.size
  })
}

/**
 * The ranges of one worker. All bytes are divided equally; a compressed file and a CSV, whose fields may hold line
 * breaks, cannot be cut and belong to the worker in whose share they begin.
 */
export function rangesOf(
  files: readonly string[],
  sizes: readonly number[],
  { index, count }: Shard,
  format: RecordFormat | undefined,
): FileRange[] {
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const [from, to] = [index, index + 1].map((share) => Math.floor((total / count) * share))
  const ranges: FileRange[] = []
  let start = 0
  for (const [i, file] of files.entries()) {
    const size = sizes[i]
    const [first, end] = [Math.max(from - start, 0), Math.min(to - start, size)]
    start += size
    if (size === 0) continue
    if (!canBeCut(file, format)) {
      const begin = start - size
      if (begin >= from && begin < to) ranges.push({ file, bytes: [0, size], isWhole: true })
    } else if (first < end) {
      ranges.push({ file, bytes: [first, end], isWhole: first === 0 && end === size })
    }
  }
  return ranges
}

function canBeCut(file: string, format: RecordFormat | undefined): boolean {
  const name = file.toLowerCase()
  if (format === 'csv' || format === 'whole' || /\.(gz|zst)$/.test(name)) return false
  return !(format === undefined && /\.[ct]sv$/.test(name))
}

/** Bytes in which the next line break is looked for. */
const LOOK = 2 ** 16

/** The bytes of the records that begin in a range. */
export function partOf({ file, bytes: [from, to] }: FileRange): FilePart {
  const failed = (cause: unknown) => new FileError(`cannot read ${file}: ${(cause as Error).message}`, file, cause)
  let open: number
  try {
    open = openSync(file, 'r')
  } catch (cause) {
    throw failed(cause)
  }
  try {
    return { path: file, from: beginning(open, from), to: beginning(open, to) }
  } catch (cause) {
    throw failed(cause)
  } finally {
    closeSync(open)
  }
}

/** Where the first record begins that does not begin before this byte. */
function beginning(file: number, byte: number): number {
  if (byte === 0) return 0
  const bytes = Buffer.allocUnsafeSlow(LOOK)
  for (let at = byte - 1; ;) {
    const read = readSync(file, bytes, 0, bytes.length, at)
    if (read === 0) return at
    const found = bytes.subarray(0, read).indexOf(0x0a)
    if (found >= 0) return at + found + 1
    at += read
  }
}
