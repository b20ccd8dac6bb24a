// The files of a folder that change together: a save is there whole, or not at all, and a load is of one save.
//
// All files are written beside, as `x.DIGEST.next`. Then model.json takes its name, which says the digest of every
// other file: from that moment on the save is there. Then the others take theirs, where the system lets them. A process
// that is killed before leaves the old save; one that is killed after leaves files called `x.DIGEST.next`, which are
// read where model.json names that digest. Writers wait for one another; readers wait for nobody: what they read is
// looked at only where its digest is the one that model.json names, and where it is not, model.json is read again.

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { FileError, FormatError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import { isMissing, readStart, readWhole } from '../base/read-file.js'

export const DESCRIPTION = 'model.json'
export const TENSORS = 'model.safetensors'
export const WORDS = 'vocab.txt'
export const TOKENIZER = 'tokenizer.json'

/** A file to write. */
export interface Part {
  readonly name: string
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

/** Where a file of a save lies until it has its name: never where one of another save does. */
const nextOf = (folder: string, name: string, digest: string) => join(folder, `${name}.${digest.slice(0, 16)}.next`)
const NEXT = /^(model\.safetensors|vocab\.txt|tokenizer\.json)\.[0-9a-f]{16}\.next$/

/** Does a step of the file system; its error becomes a FileError. */
function attempt<T>(action: string, path: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    throw new FileError(`cannot ${action} ${path}: ${(cause as Error).message}`, path, cause)
  }
}

/** Milliseconds that a writer waits for another. */
const PATIENCE = 60_000

/**
 * Runs while nobody else writes to a folder, which is made where it is not there. A process that ends gives the folder
 * back.
 *
 * @throws FileError where others write to it for so many milliseconds.
 */
export function alone<T>(folder: string, run: () => T, patience = PATIENCE): T {
  attempt('make', folder, () => makeFolder(folder))
  const lock = call(native.folderLock(folder, patience))
  try {
    return run()
  } finally {
    check(native.folderUnlock(lock))
  }
}

/**
 * Writes a folder, in which nobody else writes. `description` is the text of model.json, `before` what the one that is
 * there names: those files stay until the new ones are there.
 */
export function writeFolder(folder: string, parts: readonly Part[], description: string, before: Digests): void {
  const kept = new Set(
    Object.entries(before)
      .map(([name, digest]) => nextOf(folder, name, digest))
      .filter(existsSync),
  )
  const next = ({ name, digest }: Part) => nextOf(folder, name, digest)
  try {
    for (const part of parts) part.write(next(part))
    patiently(() => check(native.writeWhole(join(folder, DESCRIPTION), Buffer.from(description))))
  } catch (error) {
    // What cannot be removed either goes with the next save; the error that is told is the first.
    for (const part of parts) if (!kept.has(next(part))) quietly(() => unlinkSync(next(part)))
    throw error
  }
  // The save is there. What does not go well now takes nothing away: what has no name yet is read where it lies, and
  // named by the next save.
  const named = new Set(parts.map(({ name }) => name))
  for (const part of parts) quietly(() => renameSync(next(part), join(folder, part.name)))
  for (const name of Object.keys(before)) if (!named.has(name)) quietly(() => unlinkSync(join(folder, name)))
  removeLeft(folder, new Set(parts.map(next)))
  syncFolder(folder)
}

/** Gives files their names, where a save that was cut short, or another process that uses them, kept them from it. */
export function settle(folder: string, files: Digests, digestOf: (name: string, path: string) => string | null): void {
  for (const [name, digest] of Object.entries(files)) {
    const [path, next] = [join(folder, name), nextOf(folder, name, digest)]
    if (existsSync(next) && digestOf(name, path) !== digest) quietly(() => renameSync(next, path))
  }
}

/** Removes what saves left that were cut short, but for what is still to be named. */
function removeLeft(folder: string, current: ReadonlySet<string>): void {
  quietly(() => {
    for (const name of readdirSync(folder)) {
      if (NEXT.test(name) && !current.has(join(folder, name))) quietly(() => unlinkSync(join(folder, name)))
    }
  })
}

/** A step that need not go well. */
function quietly(step: () => void): void {
  try {
    step()
  } catch {
    // As it was.
  }
}

/** On Windows nothing takes the name of a file that another process has open: readers have it for a moment. */
function patiently(step: () => void): void {
  const end = performance.now() + 2000
  for (;;) {
    try {
      return step()
    } catch (error) {
      if (process.platform !== 'win32' || !(error instanceof FileError) || performance.now() > end) throw error
      pause(5)
    }
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** Makes a folder where it is not there, and those above it: their names are durable before a file is in it. */
function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true })
  // Whoever made the folder for its first save, as `tokenbed train` does, may have left that to us.
  if (first === undefined && existsSync(join(folder, DESCRIPTION))) return
  for (let made = folder; made !== dirname(made); made = dirname(made)) {
    syncFolder(dirname(made))
    if (first === undefined || made === first) return
  }
}

/** Makes renames durable, where the system can: they are done either way. */
function syncFolder(folder: string): void {
  quietly(() => {
    // Windows opens no folders.
    const opened = openSync(folder, 'r')
    try {
      fsyncSync(opened)
    } finally {
      closeSync(opened)
    }
  })
}

/** What a file of a folder is instead of one that was saved, by its first bytes; null where that is not known. */
export function whatElse(start: Uint8Array): string | null {
  return call(native.recogniseFile(start.subarray(0, LOOK))).message ?? null
}

/** Bytes by which a file is recognised. */
const LOOK = 4096

/** The same of a file that is there, of which only its beginning is read. */
function whatElseAt(path: string): string | null {
  try {
    return whatElse(readStart(path, LOOK))
  } catch {
    return null
  }
}

/** The text of model.json. */
export function readDescription(folder: string): string {
  const path = join(folder, DESCRIPTION)
  try {
    const bytes = readWhole(path)
    const other = bytes[0] === '{'.charCodeAt(0) ? null : whatElse(bytes)
    if (other !== null) throw new FormatError(`${path}: ${other} (at byte 0)`, path, 0)
    return bytes.toString()
  } catch (error) {
    if (!isMissing(error)) throw error
    const why = existsSync(folder)
      ? `${folder} has no ${DESCRIPTION}: it is no folder that saveModel wrote`
      : `there is no folder ${folder}`
    throw new FileError(why, path, (error as FileError).cause)
  }
}

/** Milliseconds in which a reader tries again while others save. */
const LONGEST = 10_000
/** Tries where model.json stays the same: it may have been replaced by its like. */
const TRIES = 3

/**
 * What `read` makes of the text of model.json and of the files that it names. Where it throws a FileError or
 * FormatError and others saved meanwhile, it is tried anew.
 *
 * @throws FileError where others saved so often, for ten seconds, that no try came through.
 */
export function ofOneSave<T>(folder: string, read: (text: string) => T): T {
  const end = performance.now() + LONGEST
  for (let [tries, replaced] = [1, 0]; ; tries++) {
    const before = stampOf(folder)
    const text = readDescription(folder)
    try {
      return read(text)
    } catch (error) {
      if (!(error instanceof FileError || error instanceof FormatError)) throw error
      const isSame = stampOf(folder) === before
      if (isSame && tries >= TRIES) throw error
      if (!isSame) [tries, replaced] = [0, replaced + 1]
      if (performance.now() > end) {
        const path = join(folder, DESCRIPTION)
        throw new FileError(
          `${folder} was saved again ${replaced} times while it was read, for ${LONGEST / 1e3} s: load it when it is saved less often`,
          path,
          error,
        )
      }
      pause(isSame ? tries : 0)
    }
  }
}

/** What tells whether model.json was replaced. */
function stampOf(folder: string): string {
  try {
    const { ino, mtimeNs, ctimeNs, size } = statSync(join(folder, DESCRIPTION), { bigint: true })
    return [ino, mtimeNs, ctimeNs, size].join()
  } catch {
    return 'missing'
  }
}

/** What a file is, and what is made of it where that is the one that is wanted. */
export interface Read<T> {
  readonly digest: string
  readonly value: T | null
}

/**
 * Reads the file of this digest. Whoever reads while another process saves may come just before a file takes its name:
 * so the name that was looked at first is looked at again.
 *
 * @throws FileError where it is missing or cannot be read, FormatError where only others are there.
 */
export function findFile<T>(
  folder: string,
  name: string,
  digest: string,
  read: (path: string, wanted: string) => Read<T>,
): { path: string; value: T } {
  const path = join(folder, name)
  let [there, first] = [false, undefined as unknown]
  for (const candidate of [path, nextOf(folder, name, digest), path]) {
    try {
      const found = read(candidate, digest)
      if (found.digest === digest && found.value !== null) return { path: candidate, value: found.value }
      there = true
    } catch (error) {
      if (!(error instanceof FileError || error instanceof FormatError)) throw error
      if (!isMissing(error)) first ??= error
    }
  }
  if (first !== undefined) throw first
  if (!there) {
    const cause = Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), {
      code: 'ENOENT',
      path,
    })
    throw new FileError(`${folder} has no ${name}, which its ${DESCRIPTION} names`, path, cause)
  }
  const other = whatElseAt(path)
  if (other !== null) throw new FormatError(`${path}: ${other} (at byte 0)`, path, 0)
  throw new FormatError(
    `${path} is not the file that ${DESCRIPTION} was written with: its digest is another (one of the two was replaced or changed)`,
    path,
    0,
  )
}

/** A small file, read once: what is compared is what is used. @internal */
export function readBytes(path: string): Read<Buffer> {
  const value = readWhole(path)
  return { digest: digestOfBytes(value), value }
}
