// The files of a folder that change together: a save is there whole, or not at all.
//
// All files are written beside, as `x.next`. Then model.json takes its name, which says the digest of every other file: from
// that moment on the save is there. Then the others take theirs. A process that is killed before leaves the old save; one
// that is killed after leaves files called `x.next`, which are read where the digest says that they are meant.

import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { FileError, FormatError } from './errors.js'
import { check, native } from './native.js'

export const DESCRIPTION = 'model.json'

/** A file to write. */
export interface Part {
  readonly name: string
  /** What `digestOf` will find in it. */
  readonly digest: string
  write(path: string): void
}

/** Digests by the names of files. */
export type Digests = Readonly<Record<string, string>>

/** A file of these bytes. */
export function bytesPart(name: string, bytes: Uint8Array): Part {
  return { name, digest: digestOfBytes(bytes), write: (path) => check(native.writeWhole(path, bytes)) }
}

export const digestOfBytes = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Does a step of the file system; its error becomes a FileError. */
function attempt<T>(action: string, path: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    throw new FileError(`cannot ${action} ${path}: ${(cause as Error).message}`, path, cause)
  }
}

/** Writes a folder; `description` is the text of model.json, `gone` are files that it had before and has no more. */
export function writeFolder(folder: string, parts: readonly Part[], description: string, gone: readonly string[]): void {
  attempt('make', folder, () => mkdirSync(folder, { recursive: true }))
  const next = (name: string) => join(folder, `${name}.next`)
  try {
    for (const part of parts) part.write(next(part.name))
    check(native.writeWhole(join(folder, DESCRIPTION), Buffer.from(description)))
  } catch (error) {
    // What cannot be removed either is overwritten by the next save; the error that is told is the first.
    for (const { name } of parts) unlink(next(name))
    throw error
  }
  for (const { name } of parts) attempt('rename', next(name), () => renameSync(next(name), join(folder, name)))
  for (const name of gone) attempt('remove', join(folder, name), () => rmSync(join(folder, name), { force: true }))
  syncFolder(folder)
}

function unlink(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was not there, most likely.
  }
}

/** Makes renames durable, where the system can: they are done either way. */
function syncFolder(folder: string): void {
  try {
    const opened = openSync(folder, 'r')
    try {
      fsyncSync(opened)
    } finally {
      closeSync(opened)
    }
  } catch {
    // Windows opens no folders.
  }
}

/** The text of model.json. */
export function readDescription(folder: string): string {
  const path = join(folder, DESCRIPTION)
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = existsSync(folder) ? `${folder} has no ${DESCRIPTION}: it is no folder that saveModel wrote` : `there is no folder ${folder}`
    throw new FileError(isMissing(cause) ? why : `cannot read ${path}: ${(cause as Error).message}`, path, cause)
  }
}

const isMissing = (cause: unknown) => ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')

/**
 * Where a file of this digest lies. Whoever reads while another process saves may come between two renames: so the name that
 * was looked at first is looked at again.
 *
 * @throws FileError where it is missing, FormatError where only others are there.
 */
export function findFile(folder: string, name: string, digest: string, digestOf: (path: string) => string | null): string {
  const path = join(folder, name)
  let there = false
  for (const candidate of [path, `${path}.next`, path]) {
    const found = digestOf(candidate)
    if (found === digest) return candidate
    there ||= found !== null
  }
  if (!there) {
    const cause = Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: 'ENOENT', path })
    throw new FileError(`${folder} has no ${name}, which its ${DESCRIPTION} names`, path, cause)
  }
  throw new FormatError(`${path} is not the file that ${DESCRIPTION} was written with: its digest is another (one of the two was replaced or changed)`, path, 0)
}

/** Gives a file its name, where a save that was cut short did not come to it. */
export function takeName(folder: string, name: string, digest: string, digestOf: (path: string) => string | null): void {
  const [path, next] = [join(folder, name), join(folder, `${name}.next`)]
  if (digestOf(next) === digest && digestOf(path) !== digest) attempt('rename', next, () => renameSync(next, path))
}

/** The digest of a small file; null where there is none. */
export function digestOfFile(path: string): string | null {
  return readOr(path, () => digestOfBytes(readFileSync(path)))
}

/** A value of the metadata of a safetensors file: '' where it has none, null where there is no file. */
export function metadataOf(path: string, key: string): string | null {
  return readOr(path, () => {
    const file = openSync(path, 'r')
    try {
      const length = Buffer.alloc(8)
      readSync(file, length, 0, 8, 0)
      const header = Buffer.alloc(Math.min(Number(length.readBigUInt64LE()), MOST_HEADER))
      readSync(file, header, 0, header.length, 8)
      const value = (JSON.parse(header.toString()) as Record<string, Record<string, unknown>>)?.__metadata__?.[key]
      return typeof value === 'string' ? value : ''
    } catch (error) {
      if (error instanceof SyntaxError) return ''
      throw error
    } finally {
      closeSync(file)
    }
  })
}

/** As the format has it. */
const MOST_HEADER = 100_000_000

function readOr<T>(path: string, read: () => T): T | null {
  try {
    return read()
  } catch (cause) {
    if (isMissing(cause)) return null
    throw new FileError(`cannot read ${path}: ${(cause as Error).message}`, path, cause)
  }
}
