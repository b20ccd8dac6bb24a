// Checks of what callers hand over, each with an error that says what, where and what to do.

import { constants } from 'node:buffer'
import { totalmem } from 'node:os'
import { inspect } from 'node:util'
import { UsageError } from './errors.js'

/** A value as it can stand in a message: short, whatever it is. */
export function show(value: unknown): string {
  const text = inspect(value, { depth: 1, maxArrayLength: 4, maxStringLength: 60, breakLength: Infinity })
  return text.length > 100 ? `${text.slice(0, 97)}...` : text
}

/** An options object, every name in it known: a mistyped option is told, never ignored. */
export function checkOptions<T extends object>(options: T | undefined, known: readonly string[], where: string): Partial<T> {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError(`${where}: options are an object, not ${show(options)}`)
  }
  // `in`, not Object.keys: no array is made, and layers check options at every call.
  for (const name in options) {
    if (!known.includes(name)) throw new UsageError(`${where} has no option "${name}"; known: ${known.join(', ')}`)
  }
  return options
}

/** A whole number that is not negative. */
export function checkSize(value: unknown, where: string, least = 0): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value + 0 // not -0
  throw new UsageError(`${where} must be a whole number of at least ${least}, not ${show(value)}`)
}

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

/** A path of a file. */
export function checkPath(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value
  throw new UsageError(`${where}: a path is a string that is not empty and has no NUL in it, not ${show(value)}`)
}

/** A shape whose elements fit in this machine's memory. */
export function checkShape(shape: unknown, bytes: number, where: string): number[] {
  if (!Array.isArray(shape)) throw new UsageError(`${where}: a shape is an array of sizes, not ${show(shape)}`)
  // Not `map`, which would skip the holes of an array.
  const sizes = Array.from(shape, (n, dim) => checkSize(n, `${where}: size ${dim} of the shape`))
  checkElements(sizes.reduce((size, n) => size * n, 1), bytes, where, sizes)
  return sizes
}

/** Elements that this machine can hold in an array, of `bytes` each. */
export function checkElements(size: number, bytes: number, where: string, shape: readonly number[]): void {
  if (size <= constants.MAX_LENGTH && size * bytes <= MEMORY) return
  checkBytes(size * bytes, where, `[${shape.join(', ')}]`)
  throw new UsageError(`${where}: [${shape.join(', ')}] has more elements than the ${constants.MAX_LENGTH} of an array`)
}

/** An array of length 0 may be empty, detached, or beyond the end of a buffer that was shrunk; only the first is good. */
export function checkAttached(array: { keys(): unknown }, where: string): void {
  try {
    // Every method of a typed array refuses one that is detached or out of bounds.
    array.keys()
  } catch (cause) {
    throw new UsageError(`${where}: the buffer of the array was transferred away or shrunk`, { cause })
  }
}

/** Asked once: the question is a system call. */
const MEMORY = totalmem()

/** Bytes that this machine can hold, refused before anything is allocated. */
export function checkBytes(bytes: number, where: string, what: string): void {
  if (bytes > MEMORY) {
    const gigabytes = (n: number) => `${(n / 2 ** 30).toPrecision(3)} GiB`
    throw new UsageError(`${where}: ${what} needs ${gigabytes(bytes)}; this machine has ${gigabytes(MEMORY)}`)
  }
}

/** Refuses a promise where work must be done by the time a function returns. */
export function checkNoPromise(result: unknown, where: string): void {
  if (result !== null && typeof result === 'object' && typeof (result as PromiseLike<unknown>).then === 'function') {
    throw new UsageError(`${where} takes a function that is done when it returns, not an async one`)
  }
}
