// Checks of what callers hand over, each with an error that says what, where and what to do.

import { constants } from 'node:buffer'
import { totalmem } from 'node:os'
import { inspect } from 'node:util'
import { UsageError } from './errors.js'
import { isPlain } from './realm.js'

/** A value as it can stand in a message: short, whatever it is. */
export function show(value: unknown): string {
  const text = shownBy(value)
  return text.length > 100 ? `${text.slice(0, 97)}...` : text
}

function shownBy(value: unknown): string {
  try {
    return inspect(value, { depth: 1, maxArrayLength: 4, maxStringLength: 60, breakLength: Infinity })
  } catch {
    // It runs code of the value's own, which may throw; the message tells of the call, not of that.
    return `${typeof value === 'function' ? 'a function' : 'an object'} that cannot be shown`
  }
}

/** `Array.isArray`, which throws for a proxy that was revoked: that is no array. */
export function isArray(value: unknown): value is any[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** Whether it can be asked for properties: no proxy that was revoked, which answers every question with a TypeError. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isRevoked(value)
}

/** Whether it is a proxy that was revoked: the only value that `Array.isArray` throws for. */
function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value)
    return false
  } catch {
    return true
  }
}

/**
 * Whether all elements are such ones. Unlike `every` it looks at holes too, and so ends at the first of them: an array
 * may have a length of 2^32 - 1 and nothing in it.
 */
export function allAre(list: ArrayLike<unknown>, test: (value: unknown, i: number) => boolean): boolean {
  for (let i = 0; i < list.length; i++) if (!test(list[i], i)) return false
  return true
}

/**
 * The elements of a list, each read once, checked and made something else by `read`. It ends at the first that `read`
 * refuses, a hole too: a length alone costs nothing.
 */
export function eachOf<T>(list: ArrayLike<unknown>, read: (value: unknown, i: number) => T): T[] {
  const elements: T[] = []
  for (let i = 0; i < list.length; i++) elements.push(read(list[i], i))
  return elements
}

/** An options object, every name in it known: a mistyped option is told, never ignored. */
export function checkOptions<T extends object>(
  options: T | undefined,
  known: readonly string[],
  where: string,
): Partial<T> {
  if (options === undefined) return {}
  if (!isObject(options) || isArray(options)) {
    throw new UsageError(`${where}: options are an object, not ${show(options)}`)
  }
  // `in`, not Object.keys: no array is made, and layers check options at every call.
  let isEmpty = true
  for (const name in options) {
    if (!known.includes(name)) throw new UsageError(`${where} has no option "${name}"; known: ${known.join(', ')}`)
    isEmpty = false
  }
  // A Map or a promise has none by name: what is in it would be ignored.
  if (isEmpty && !isPlain(options))
    throw new UsageError(`${where}: options are an object with a name for each, not ${show(options)}`)
  return options
}

/** A whole number that is not negative. */
export function checkSize(value: unknown, where: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value + 0 // not -0
  const bound = most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : ''
  throw new UsageError(`${where} must be a whole number of at least ${least}${bound}, not ${show(value)}`)
}

/** Elements of a row, at most: thirty times those of the widest model. */
export const MOST_DIM = 2 ** 20
/** Elements that a list of numbers may have which is no typed array: V8 has no room for more in one array. */
const MOST_LISTED = 2 ** 27

/**
 * The elements of an array-like that is no typed array. Each is looked at before room is made for all: a `length` may
 * promise more than there is.
 */
export function checkList(list: ArrayLike<unknown>, where: string): unknown[] {
  checkSize(list.length, `${where}: length`, 0, MOST_LISTED)
  return eachOf(list, (value, i) => {
    if (value === undefined) throw new UsageError(`${where}: the element at [${i}] is undefined, not a number`)
    return value
  })
}

/** Dimensions that a shape may have, as NumPy has it. */
const MOST_DIMENSIONS = 64

/** A whole number. */
export function checkInteger(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new UsageError(`${where} must be a whole number, not ${show(value)}`)
}

/** A number, by default neither NaN nor infinite. */
export function checkNumber(value: unknown, where: string, infinite = false): number {
  if (typeof value === 'number' && (infinite ? !Number.isNaN(value) : Number.isFinite(value))) return value
  throw new UsageError(`${where} must be a number, not ${show(value)}`)
}

/** A truth value. */
export function checkBoolean(value: unknown, where: string): boolean {
  if (typeof value === 'boolean') return value
  throw new UsageError(`${where} must be true or false, not ${show(value)}`)
}

/** One of a few words. */
export function checkWord<T extends string>(value: unknown, words: readonly T[], where: string): T {
  if (words.includes(value as T)) return value as T
  throw new UsageError(`${where} must be one of ${words.map((word) => `"${word}"`).join(', ')}, not ${show(value)}`)
}

/** Text. */
export function checkText(value: unknown, where: string): string {
  if (typeof value === 'string') return value
  throw new UsageError(`${where} must be a string, not ${show(value)}`)
}

/** Text that UTF-8 can hold: what cannot be written as it is would come back as another. */
export function checkWellFormed(text: string, where: string): void {
  if (!/\p{Surrogate}/u.test(text)) return
  throw new UsageError(
    `${where} has a surrogate that stands alone, which no file of UTF-8 can hold: it would come back as another, and two tensors could become one`,
  )
}

/** A path of a file. */
export function checkPath(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value
  throw new UsageError(`${where}: a path is a string that is not empty and has no NUL in it, not ${show(value)}`)
}

/** A shape whose elements fit in this machine's memory. */
export function checkShape(shape: unknown, bytes: number, where: string): number[] {
  if (!isArray(shape)) throw new UsageError(`${where}: a shape is an array of sizes, not ${show(shape)}`)
  if (shape.length > MOST_DIMENSIONS)
    throw new UsageError(`${where}: a shape has at most ${MOST_DIMENSIONS} sizes, not ${shape.length}`)
  // Not `map`, which would skip the holes of an array.
  const sizes = Array.from(shape, (n, dim) => checkSize(n, `${where}: size ${dim} of the shape`))
  checkElements(
    sizes.reduce((size, n) => size * n, 1),
    bytes,
    where,
    sizes,
  )
  return sizes
}

/** Elements that this machine can hold in an array, of `bytes` each. */
export function checkElements(size: number, bytes: number, where: string, shape: readonly number[]): void {
  if (size <= constants.MAX_LENGTH && size * bytes <= MEMORY) return
  checkBytes(size * bytes, where, `[${shape.join(', ')}]`)
  throw new UsageError(`${where}: [${shape.join(', ')}] has more elements than the ${constants.MAX_LENGTH} of an array`)
}

/**
 * An array of length 0 may be empty, detached, or beyond the end of a buffer that was shrunk; only the first is good.
 */
export function checkAttached(array: { keys(): unknown }, where: string): void {
  try {
    // Every method of a typed array refuses one that is detached or out of bounds.
    KEYS.call(array as Uint8Array)
  } catch (cause) {
    throw new UsageError(`${where}: the buffer of the array was transferred away or shrunk`, { cause })
  }
}

/** That of every typed array, whatever a subclass calls so. */
const KEYS = Uint8Array.prototype.keys

/** Asked once: the question is a system call. */
const MEMORY = totalmem()

/** Bytes that this machine can hold, refused before anything is allocated. */
export function checkBytes(bytes: number, where: string, what: string): void {
  if (bytes > MEMORY) {
    const gigabytes = (n: number) => `${(n / 2 ** 30).toPrecision(3)} GiB`
    throw new UsageError(`${where}: ${what} needs ${gigabytes(bytes)}; this machine has ${gigabytes(MEMORY)}`)
  }
}

/** A function. */
export function checkFunction(value: unknown, where: string): void {
  if (typeof value !== 'function' || isRevoked(value))
    throw new UsageError(`${where} takes a function, not ${show(value)}`)
}

/** Refuses a promise where work must be done by the time a function returns. */
export function checkNoPromise(result: unknown, where: string): void {
  if (isObject(result) && typeof (result as PromiseLike<unknown>).then === 'function') {
    throw new UsageError(`${where} takes a function that is done when it returns, not an async one`)
  }
}
