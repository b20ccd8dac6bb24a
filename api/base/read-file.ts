// Reading regular files, whatever a path refers to: nothing here waits for another process, and everything that is not
// a regular file is an error with its path. `open::regular` does the same on the native side.

import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs'
import { FileError } from './errors.js'

/** Keeps the open call from waiting if the path has become a pipe; Windows has neither flag. */
const NEVER_WAIT = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

/**
 * All bytes of a regular file, whose size is known before it is read.
 *
 * @throws FileError if it does not exist or cannot be read; for a folder, a pipe, a socket or a device; and if its size
 * changes while it is read, or is unknown, as for files in /proc.
 */
export function readWhole(path: string): Buffer {
  return opened(path, readAll)
}

/** The first `length` bytes of a regular file, or all if it is shorter. @throws FileError as `readWhole`. */
export function readStart(path: string, length: number): Buffer {
  return opened(path, (file, size) => {
    const bytes = Buffer.alloc(Math.min(length, size))
    return bytes.subarray(0, readPart(file, bytes, 0, bytes.length))
  })
}

function opened(path: string, read: (file: number, size: number) => Buffer): Buffer {
  let file: number | undefined
  try {
    // Check before opening: a pipe's writer would notice, and opening a device may have effects.
    checkKind(statSync(path))
    file = openSync(path, NEVER_WAIT)
    const found = fstatSync(file)
    checkKind(found)
    return read(file, found.size)
  } catch (cause) {
    throw new FileError(`cannot read ${path}: ${(cause as Error).message}`, path, cause)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function checkKind(found: Stats): void {
  if (found.isFile()) return
  if (found.isDirectory()) throw Object.assign(new Error('EISDIR: it is a folder'), { code: 'EISDIR' })
  const kind = found.isFIFO() ? 'a pipe' : found.isSocket() ? 'a socket' : 'a device'
  throw new Error(
    `it is ${kind}, and not a regular file: give the path of one, or read it yourself and pass its contents`,
  )
}

function readAll(file: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  let done = 0
  while (done < size) {
    const read = readPart(file, bytes, done, Math.min(size - done, STEP))
    if (read === 0) throw new Error(`it was cut short while it was read: ${done} of ${size} bytes are left`)
    done += read
  }
  if (readPart(file, Buffer.alloc(1), 0, 1) !== 0) {
    const why =
      size === 0
        ? 'the system does not report its size (as for files in /proc): copy it, and give the path of the copy'
        : `it grew beyond its ${size} bytes while it was read`
    throw new Error(why)
  }
  return bytes
}

/** Reads at most `length` bytes. It retries after a signal interrupts the read, which Node does not do. */
function readPart(file: number, bytes: Buffer, at: number, length: number): number {
  for (;;) {
    try {
      return readSync(file, bytes, at, length, null)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINTR') throw error
    }
  }
}

/** Most bytes to read at a time: no system reads more than 2 GiB at once. */
const STEP = 2 ** 30

/** Whether a FileError says that the file does not exist. */
export const isMissing = (error: unknown) =>
  ['ENOENT', 'ENOTDIR'].includes(((error as FileError).cause as NodeJS.ErrnoException | undefined)?.code ?? '')
