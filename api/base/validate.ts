// Checks of arguments. Each error says what is wrong, where, and what to do.

import { constants } from 'node:buffer'
import { totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { shownOfOther } from './copy.js'
import { UsageError } from './errors.js'
import { isPlain } from './realm.js'

/** A short text of any value, for messages. */
export function show(value: unknown): string {
  const other = shownOfOther(value)
  if (other !== undefined) return other
  const text = shownBy(value)
  return text.length > 100 ? `${text.slice(0, 97)}...` : text
}

function shownBy(value: unknown): string {
  try {
    return inspect(value, { depth: 1, maxArrayLength: 4, maxStringLength: 60, breakLength: Infinity })
  } catch {
    // `inspect` runs code of the value, which may throw; the message is about the call, not about that.
    return `${typeof value === 'function' ? 'a function' : 'an object'} that cannot be shown`
  }
}

/** `Array.isArray`, but false for a revoked proxy, for which that throws. */
export function isArray(value: unknown): value is any[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/**
 * Whether its properties can be read. A revoked proxy is not an object here, since it throws a TypeError on every
 * access.
 */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isRevoked(value)
}

/** Whether it is a revoked proxy, the only value for which `Array.isArray` throws. */
function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value)
    return false
  } catch {
    return true
  }
}

/**
 * Whether all elements pass `test`. Unlike `every` it also tests holes, and so stops at the first: an array may have a
 * length of 2^32 - 1 and no elements.
 */
export function allAre(list: ArrayLike<unknown>, test: (value: unknown, i: number) => boolean): boolean {
  for (let i = 0; i < list.length; i++) if (!test(list[i], i)) return false
  return true
}

/**
 * The elements of a list, each read once and converted by `read`. It stops at the first element that `read` refuses,
 * which may be a hole, so a huge length without elements costs nothing.
 */
export function eachOf<T>(list: ArrayLike<unknown>, read: (value: unknown, i: number) => T): T[] {
  const elements: T[] = []
  for (let i = 0; i < list.length; i++) elements.push(read(list[i], i))
  return elements
}

/** Checks an options object: an unknown name is an error, never ignored. */
export function checkOptions<T extends object>(
  options: T | undefined,
  known: readonly string[],
  where: string,
): Partial<T> {
  if (options === undefined) return {}
  if (!isObject(options) || isArray(options)) {
    throw new UsageError(`${where}: options must be an object, not ${show(options)}`)
  }
  // `in` instead of Object.keys makes no array; layers check options at every call.
  let isEmpty = true
  for (const name in options) {
    if (!known.includes(name)) throw new UsageError(`${where} has no option "${name}"; known: ${known.join(', ')}`)
    isEmpty = false
  }
  // A Map or a promise has no options by name, so its contents would be ignored.
  if (isEmpty && !isPlain(options))
    throw new UsageError(`${where}: options must be a plain object, not ${show(options)}`)
  return options
}

/** Checks a whole number from `least` (default 0) to `most`. */
export function checkSize(value: unknown, where: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value + 0 // not -0
  const bound = most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : ''
  throw new UsageError(`${where} must be a whole number of at least ${least}${bound}, not ${show(value)}`)
}

/** The most elements of a row: thirty times those of the widest model. */
export const MOST_DIM = 2 ** 20
/** The most elements of a list of numbers that is not a typed array: V8 has no room for more in one array. */
const MOST_LISTED = 2 ** 27

/**
 * The elements of an array-like that is not a typed array. Each is read before memory for all is allocated, as `length`
 * may exceed the number of elements.
 */
export function checkList(list: ArrayLike<unknown>, where: string): unknown[] {
  checkSize(list.length, `${where}: length`, 0, MOST_LISTED)
  return eachOf(list, (value, i) => {
    if (value === undefined) throw new UsageError(`${where}: the element at [${i}] is undefined, not a number`)
    return value
  })
}

/** The most dimensions of a shape, as in NumPy. */
const MOST_DIMENSIONS = 64

/** Checks a whole number. */
export function checkInteger(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new UsageError(`${where} must be a whole number, not ${show(value)}`)
}

/** Checks a number, which must not be NaN, nor infinite unless `infinite` is true. */
export function checkNumber(value: unknown, where: string, infinite = false): number {
  if (typeof value === 'number' && (infinite ? !Number.isNaN(value) : Number.isFinite(value))) return value
  throw new UsageError(`${where} must be a number, not ${show(value)}`)
}

/** Checks a boolean. */
export function checkBoolean(value: unknown, where: string): boolean {
  if (typeof value === 'boolean') return value
  throw new UsageError(`${where} must be true or false, not ${show(value)}`)
}

/** Checks that the value is one of `words`. */
export function checkWord<T extends string>(value: unknown, words: readonly T[], where: string): T {
  if (words.includes(value as T)) return value as T
  throw new UsageError(`${where} must be one of ${words.map((word) => `"${word}"`).join(', ')}, not ${show(value)}`)
}

/** Checks a string. */
export function checkText(value: unknown, where: string): string {
  if (typeof value === 'string') return value
  throw new UsageError(`${where} must be a string, not ${show(value)}`)
}

/** Checks that UTF-8 can hold a text; otherwise it would be read back as a different text. */
export function checkWellFormed(text: string, where: string): void {
  if (!/\p{Surrogate}/u.test(text)) return
  throw new UsageError(
    `${where} has a lone surrogate, which UTF-8 cannot encode: it would change when it is written, and two tensors could get one name`,
  )
}

/** The path of a file or folder: as text, or as a URL with the scheme `file:`, which may be text, too. */
export type FilePath = string | URL

/** Checks a path of a file. A URL becomes the path that it stands for. */
export function checkPath(value: unknown, where: string): string {
  const path = isUrl(value) ? pathOf(value, where) : value
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  throw new UsageError(
    `${where}: a path must be a non-empty string without NUL characters or a file: URL, not ${show(value)}`,
  )
}

/** Whether it is a URL, of any realm, or a text that can only be meant as one. */
function isUrl(value: unknown): value is string | URL {
  if (typeof value === 'string') return /^(file:|https?:\/)\//i.test(value)
  return isObject(value) && 'href' in value && 'protocol' in value && typeof value.href === 'string'
}

function pathOf(value: string | URL, where: string): string {
  const url = typeof value === 'string' ? value : value.href
  if (/^https?:/i.test(url))
    throw new UsageError(
      `${where}: nothing is ever downloaded: fetch ${show(url)} yourself, and give the path of the file`,
    )
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new UsageError(`${where}: ${show(url)} is not the URL of a file: ${(cause as Error).message}`, { cause })
  }
}

/** Checks a shape whose elements, of `bytes` each, must fit in this machine's memory. */
export function checkShape(shape: unknown, bytes: number, where: string): number[] {
  if (!isArray(shape)) throw new UsageError(`${where}: a shape must be an array of sizes, not ${show(shape)}`)
  if (shape.length > MOST_DIMENSIONS)
    throw new UsageError(`${where}: a shape has at most ${MOST_DIMENSIONS} sizes, not ${shape.length}`)
  // `map` would skip the holes of an array.
  const sizes = Array.from(shape, (n, dim) => checkSize(n, `${where}: size ${dim} of the shape`))
  checkElements(
    sizes.reduce((size, n) => size * n, 1),
    bytes,
    where,
    sizes,
  )
  return sizes
}

/** Checks that this machine can hold an array of `size` elements of `bytes` each. */
export function checkElements(size: number, bytes: number, where: string, shape: readonly number[]): void {
  if (size <= constants.MAX_LENGTH && size * bytes <= MEMORY) return
  checkBytes(size * bytes, where, `[${shape.join(', ')}]`)
  throw new UsageError(
    `${where}: [${shape.join(', ')}] has more than ${constants.MAX_LENGTH} elements, the most that an array holds`,
  )
}

/**
 * Checks an array of length 0: it may be empty, detached, or beyond the end of a buffer that was shrunk; only an empty
 * one is valid.
 */
export function checkAttached(array: { keys(): unknown }, where: string): void {
  try {
    // Every method of a typed array throws if the array is detached or out of bounds.
    KEYS.call(array as Uint8Array)
  } catch (cause) {
    throw new UsageError(`${where}: the buffer of the array was transferred or shrunk`, { cause })
  }
}

/** The built-in method of typed arrays, which a subclass cannot override. */
const KEYS = Uint8Array.prototype.keys

/** The machine's memory in bytes, read once because that is a system call. */
const MEMORY = totalmem()

/** Checks that this machine can hold `bytes` bytes, before anything is allocated. */
export function checkBytes(bytes: number, where: string, what: string): void {
  if (bytes > MEMORY) {
    const gigabytes = (n: number) => `${(n / 2 ** 30).toPrecision(3)} GiB`
    throw new UsageError(`${where}: ${what} needs ${gigabytes(bytes)}; this machine has ${gigabytes(MEMORY)}`)
  }
}

/** Checks a function. */
export function checkFunction(value: unknown, where: string): void {
  if (typeof value !== 'function' || isRevoked(value))
    throw new UsageError(`${where} takes a function, not ${show(value)}`)
}

/** Throws for a promise, as the work must be done when the function returns. */
export function checkNoPromise(result: unknown, where: string): void {
  if (isObject(result) && typeof (result as PromiseLike<unknown>).then === 'function') {
    throw new UsageError(`${where} takes a synchronous function, not one that returns a promise`)
  }
}
