// The files of a folder that change together. A save is complete or does not exist, and a load reads exactly one save.
//
// All files are first written as `x.DIGEST.next`. Then the new model.json, which names the digest of every other file,
// is renamed to its name: from that moment the save exists. Then the others are renamed, where the system allows it. A
// process that is killed before that moment leaves the old save. One that is killed after it leaves `x.DIGEST.next`
// files, which are read if model.json names their digest. Writers wait for one another; readers wait for nobody. They
// use a file only if its digest is the one in model.json, and otherwise read model.json again.

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
import { setTimeout } from 'node:timers/promises'
import { throwIfAborted } from '../base/abortable.js'
import { sha256, sha256Async } from '../base/late.js'
import { FileError, FormatError, UsageError } from '../base/errors.js'
import { ended } from '../layers/async.js'
import { call, check, failureOf, native, type Work } from '../native/native.js'
import { isMissing, readStart, readWhole } from '../base/read-file.js'
import { quietly } from '../base/quietly.js'

export const DESCRIPTION = 'model.json'
export const TENSORS = 'model.safetensors'
export const WORDS = 'vocab.txt'
export const TOKENIZER = 'tokenizer.json'

/** A file to be written. */
export interface Part {
  readonly name: string
  readonly digest: string
  write(path: string): void
  /** The same, off the thread. */
  writeAsync(path: string): Promise<void>
}

/** Digests by file name. */
export type Digests = Readonly<Record<string, string>>

/** A part that consists of these bytes. */
export function bytesPart(name: string, bytes: Uint8Array): Part {
  return {
    name,
    digest: sha256(bytes),
    write: (path) => check(native.writeWhole(path, bytes)),
    writeAsync: (path) => done(call(native.writeWholeWork(path, bytes))),
  }
}

/** Runs work without a result, off the thread. @throws The error of its failure. */
export async function done(work: Work): Promise<void> {
  const { failure } = await ended(work, undefined)
  if (failure) throw failureOf(failure)
}

/** Where a file of a save is before it is renamed. The path differs from that of any other save. */
const nextOf = (folder: string, name: string, digest: string) => join(folder, `${name}.${digest.slice(0, 16)}.next`)
const NEXT = /^(model\.safetensors|vocab\.txt|tokenizer\.json)\.[0-9a-f]{16}\.next$/

/** Runs a step of the file system, and turns its error into a FileError. */
function attempt<T>(action: string, path: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    throw new FileError(`cannot ${action} ${path}: ${(cause as Error).message}`, path, cause)
  }
}

/** How many milliseconds a writer waits for another. */
const PATIENCE = 60_000

/** The folders to which this thread writes off the thread: to wait for them here would be to wait for oneself. */
const busy = new Set<string>()

/**
 * Runs a function while nobody else writes to a folder, which is made if it is missing. The lock ends with the process.
 *
 * @throws UsageError while this thread writes there by `aloneAsync`. FileError if others write to it for that many milliseconds.
 */
export function alone<T>(folder: string, run: () => T, patience = PATIENCE): T {
  if (busy.has(folder))
    throw new UsageError(`${folder}: a saveModelAsync of this thread writes there: await it before you save again`)
  attempt('make', folder, () => makeFolder(folder))
  const lock = call(native.folderLock(folder, patience))
  try {
    return run()
  } finally {
    check(native.folderUnlock(lock))
  }
}

/** `alone`, which waits off the thread. @throws AbortedError if the signal aborts while it waits. */
export async function aloneAsync<T>(
  folder: string,
  run: () => Promise<T>,
  signal: AbortSignal | undefined,
  where: string,
): Promise<T> {
  attempt('make', folder, () => makeFolder(folder))
  const end = performance.now() + PATIENCE
  let lock: Lock | null = null
  while (lock === null) {
    throwIfAborted(signal, where)
    try {
      lock = call(native.folderLock(folder, 0))
    } catch (error) {
      if (!(error instanceof FileError) || performance.now() > end) throw error
      await setTimeout(AGAIN)
    }
  }
  busy.add(folder)
  try {
    return await run()
  } finally {
    busy.delete(folder)
    check(native.folderUnlock(lock))
  }
}

type Lock = NonNullable<ReturnType<typeof native.folderLock>>
/** Milliseconds between two attempts to lock a folder. */
const AGAIN = 20

/** A file that is to be written. */
interface Wanted {
  readonly part: Pick<Part, 'write' | 'writeAsync'>
  readonly path: string
}

/** `writeFolder`, whose files are written off the thread. */
export async function writeFolderAsync(
  folder: string,
  parts: readonly Part[],
  description: string,
  before: Digests,
  { signal, where }: { signal: AbortSignal | undefined; where: string },
): Promise<void> {
  const steps = writing(folder, parts, description, before)
  let step = steps.next()
  while (!step.done) {
    const { part, path } = step.value
    let failed: { error: unknown } | null = null
    try {
      // Not after the last file: with it the save exists.
      throwIfAborted(signal, where)
      // eslint-disable-next-line no-await-in-loop -- the files appear in their order
      await part.writeAsync(path)
    } catch (error) {
      failed = { error }
    }
    step = failed === null ? steps.next() : steps.throw(failed.error)
  }
}

/**
 * Writes a folder; the caller has locked it. `description` is the text of model.json. `before` holds the files of the
 * existing save, which stay until the new ones are complete.
 */
export function writeFolder(folder: string, parts: readonly Part[], description: string, before: Digests): void {
  const steps = writing(folder, parts, description, before)
  let step = steps.next()
  while (!step.done) {
    const { part, path } = step.value
    let failed: { error: unknown } | null = null
    try {
      part.write(path)
    } catch (error) {
      failed = { error }
    }
    step = failed === null ? steps.next() : steps.throw(failed.error)
  }
}

/** What is done to write a folder; whoever takes the steps writes the files that they name. */
function* writing(
  folder: string,
  parts: readonly Part[],
  description: string,
  before: Digests,
): Generator<Wanted, void, void> {
  const kept = new Set(
    Object.entries(before)
      .map(([name, digest]) => nextOf(folder, name, digest))
      .filter(existsSync),
  )
  const next = ({ name, digest }: Part) => nextOf(folder, name, digest)
  try {
    for (const part of parts) yield { part, path: next(part) }
    yield { part: patientPart(Buffer.from(description)), path: join(folder, DESCRIPTION) }
  } catch (error) {
    // Files that cannot be removed go with the next save. The first error is the one that is thrown.
    for (const part of parts) if (!kept.has(next(part))) quietly(() => unlinkSync(next(part)))
    throw error
  }
  // The save exists now, and later failures do no harm: a file that could not be renamed is read at its present path,
  // and the next save renames it.
  const named = new Set(parts.map(({ name }) => name))
  for (const part of parts) quietly(() => renameSync(next(part), join(folder, part.name)))
  for (const name of Object.keys(before)) if (!named.has(name)) quietly(() => unlinkSync(join(folder, name)))
  removeLeft(folder, new Set(parts.map(next)))
  syncFolder(folder)
}

/** Renames files of a save that was cut short, or that another process kept from being renamed. */
export function settle(folder: string, files: Digests, digestOf: (name: string, path: string) => string | null): void {
  for (const [name, digest] of Object.entries(files)) {
    const [path, next] = [join(folder, name), nextOf(folder, name, digest)]
    if (existsSync(next) && digestOf(name, path) !== digest) quietly(() => renameSync(next, path))
  }
}

/** Removes files of saves that were cut short, except those in `current`, which are still to be renamed. */
function removeLeft(folder: string, current: ReadonlySet<string>): void {
  quietly(() => {
    for (const name of readdirSync(folder)) {
      if (NEXT.test(name) && !current.has(join(folder, name))) quietly(() => unlinkSync(join(folder, name)))
    }
  })
}

/** Bytes whose file may be open in another process for a moment. */
function patientPart(bytes: Buffer): Wanted['part'] {
  const { write, writeAsync } = bytesPart(DESCRIPTION, bytes)
  const patient = (path: string) => patiently(() => write(path))
  return {
    write: patient,
    writeAsync: async (path) => (process.platform === 'win32' ? patient(path) : writeAsync(path)),
  }
}

/**
 * Repeats a rename. On Windows a file that another process has open cannot be replaced, and readers have it open for a
 * moment.
 */
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

/** Makes a folder and those above it if they are missing. Their names are durable before a file is in the folder. */
function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true })
  // A caller that made the folder before its first save, as `tokenbed train` does, may not have synced it.
  if (first === undefined && existsSync(join(folder, DESCRIPTION))) return
  for (let made = folder; made !== dirname(made); made = dirname(made)) {
    syncFolder(dirname(made))
    if (first === undefined || made === first) return
  }
}

/** Makes renames durable, if the system can. They take effect either way. */
function syncFolder(folder: string): void {
  quietly(() => {
    // Windows cannot open folders.
    const opened = openSync(folder, 'r')
    try {
      fsyncSync(opened)
    } finally {
      closeSync(opened)
    }
  })
}

/** What a damaged file is instead, by its first bytes; null if that is not known. */
export function whatElse(start: Uint8Array): string | null {
  return call(native.recogniseFile(start.subarray(0, LOOK))).message ?? null
}

/** Number of bytes from which the kind of a file is recognised. */
const LOOK = 4096

/** The same for an existing file, of which only the beginning is read. */
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
      ? `${folder} has no ${DESCRIPTION}: saveModel did not write this folder`
      : `there is no folder ${folder}`
    throw new FileError(why, path, (error as FileError).cause)
  }
}

/** How many milliseconds a reader tries again while others save. */
const LONGEST = 10_000
/** How often a reader tries if model.json seems the same; an identical one may have replaced it. */
const TRIES = 3

/**
 * Returns what `read` makes of the text of model.json and of the files that it names. If it throws a FileError or
 * FormatError because others saved meanwhile, it is called again.
 *
 * @throws FileError if others saved so often, for ten seconds, that no call succeeded.
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
          `${folder} was saved ${replaced} times during the ${LONGEST / 1e3} s in which it was read: load it when it is saved less often`,
          path,
          error,
        )
      }
      pause(isSame ? tries : 0)
    }
  }
}

/** A value that changes when model.json is replaced. */
function stampOf(folder: string): string {
  try {
    const { ino, mtimeNs, ctimeNs, size } = statSync(join(folder, DESCRIPTION), { bigint: true })
    return [ino, mtimeNs, ctimeNs, size].join()
  } catch {
    return 'missing'
  }
}

/** The digest of a file, and its contents if the digest is the wanted one. */
export interface Read<T> {
  readonly digest: string
  readonly value: T | null
}

/**
 * Reads the file with this digest. While another process saves, the file may be renamed between two looks, so the name
 * that was tried first is tried again at the end.
 *
 * @throws FileError if it is missing or cannot be read, FormatError if only files with other digests exist.
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
    `${path} is not the file that ${DESCRIPTION} belongs to: its digest differs (one of the two was replaced or changed)`,
    path,
    0,
  )
}

/** Reads a small file once, so the bytes that are compared are the bytes that are used. @internal */
export function readBytes(path: string): Read<Buffer> {
  const value = readWhole(path)
  return { digest: sha256(value), value }
}

/** `readBytes`, which hashes off the thread. @internal */
export async function readBytesAsync(path: string): Promise<Read<Buffer>> {
  const value = readWhole(path)
  return { digest: await sha256Async(value), value }
}
