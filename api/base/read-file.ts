// Files that are read whole, whatever their names stand for: nothing here waits for another process, and what is no
// file is refused with its name. As `open::regular` does it on the native side.

import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs'
import { FileError } from './errors.js'

/** Were it a pipe by now, opening it would not wait; Windows has neither flag. */
const NEVER_WAIT = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

/**
 * The bytes of a regular file, of which there are as many as the system says before it is read.
 *
 * @throws FileError where it is not there or cannot be read; for a folder, a pipe, a socket or a device; and where its size
 * changes while it is read, or is not known, as of the files of /proc.
 */
export function readWhole(path: string): Buffer {
  return opened(path, readAll)
}

/** The first bytes of a regular file, as many as are wanted or there are. @throws FileError as `readWhole`. */
export function readStart(path: string, length: number): Buffer {
  return opened(path, (file, size) => {
    const bytes = Buffer.alloc(Math.min(length, size))
    return bytes.subarray(0, readPart(file, bytes, 0, bytes.length))
  })
}

function opened(path: string, read: (file: number, size: number) => Buffer): Buffer {
  let file: number | undefined
  try {
    // What is no file is not even opened: a pipe's writer would notice, and a device may do something.
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
  throw new Error(`it is ${kind}, and not a regular file: name one, or read it yourself and pass on what you read`)
}

function readAll(file: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  let done = 0
  while (done < size) {
    const read = readPart(file, bytes, done, Math.min(size - done, STEP))
    if (read === 0) throw new Error(`it was cut short while it was read: ${done} bytes of ${size}`)
    done += read
  }
  if (readPart(file, Buffer.alloc(1), 0, 1) !== 0) {
    const why =
      size === 0
        ? 'the system does not say how large it is (as of files in /proc): copy it, and name the copy'
        : `it grew while it was read, from ${size} bytes`
    throw new Error(why)
  }
  return bytes
}

/** Reads at most `length` bytes; once more where a signal came in between, which Node does not do. */
function readPart(file: number, bytes: Buffer, at: number, length: number): number {
  for (;;) {
    try {
      return readSync(file, bytes, at, length, null)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINTR') throw error
    }
  }
}

/** Bytes that are read at a time: no system reads more than 2 GiB at once. */
const STEP = 2 ** 30

/** Whether a file that could not be read is not there. */
export const isMissing = (error: unknown) =>
  ['ENOENT', 'ENOTDIR'].includes(((error as FileError).cause as NodeJS.ErrnoException | undefined)?.code ?? '')
