// Every error that this package throws on purpose, rebuilt here from what the native side reports.

/** The base of all: `code` is stable and may be switched on. */
export class TokenbedError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}

/** An id that the table has no row for, or that is no token (code `TOKEN_INDEX`). */
export class TokenIndexError extends TokenbedError {
  /** Where in ids, one number per dimension. */
  readonly position: number[]
  /** The first bad id. */
  readonly value: number
  /** Rows of the table. */
  readonly size: number
  /** How many ids are bad. */
  readonly count: number
  constructor(what: string, fields: { position: number[]; value: string; size: number; count: number }) {
    const { position, value, size, count } = fields
    const more = count > 1 ? ` (${count - 1} more)` : ''
    // Some encodings leave ids between their tokens unused.
    const isBetween = Number(value) >= 0 && Number(value) < size
    const why = isBetween
      ? `is no token: the encoding does not use it`
      : `is out of range for ${what === 'target' ? `${size} classes` : `a table of ${size} rows`}`
    // Positions that do not fit are past the context: say what makes it longer.
    const longer =
      what === 'position' && Number(value) >= size ? `; interpolatePositions() makes a table for a longer context` : ''
    super('TOKEN_INDEX', `${what} ${value} at [${position.join(', ')}] ${why}${more}${longer}`)
    this.position = position
    this.value = Number(value)
    this.size = size
    this.count = count
  }
}

/** Sizes that do not go together (code `SHAPE`). */
export class ShapeError extends TokenbedError {
  constructor(message: string) {
    super('SHAPE', message)
  }
}

/** An element type that cannot be used here (code `DTYPE`). */
export class DTypeError extends TokenbedError {
  constructor(message: string) {
    super('DTYPE', message)
  }
}

/** A call that cannot be carried out as it was made (code `USAGE`). */
export class UsageError extends TokenbedError {
  /** The special token that stands in a text without being allowed, where that is what cannot be carried out. */
  declare readonly specialToken?: string
  /** The environment variable whose value cannot be used, where that is why. */
  declare readonly setting?: string
  constructor(message: string, options?: { cause?: unknown; specialToken?: string; setting?: string }) {
    super('USAGE', message, options)
    if (options?.specialToken !== undefined) this.specialToken = options.specialToken
    if (options?.setting !== undefined) this.setting = options.setting
  }
}

/** More memory than the system gives (code `USAGE`). What was called did nothing, and may be called again. */
export class MemoryError extends UsageError {
  /** How many bytes were asked for at once. */
  readonly bytes: number
  constructor(message: string, bytes: number, options?: { cause?: unknown }) {
    super(message, options)
    this.bytes = bytes
  }
}

/** A text that stands for no row of a table (code `USAGE`). */
export class UnknownTokenError extends UsageError {
  /** The text. */
  readonly token: string
  /**
   * Of words those that are spelled most like it, three at most, the nearest first; of a tokenizer the tokens it falls
   * into, the first eight. Looked for when it is first read: that takes some milliseconds where there are many words.
   */
  declare readonly nearest: readonly string[]
  constructor(message: string, token: string, nearest: () => readonly string[]) {
    super(message)
    this.token = token
    let found: readonly string[] | undefined
    Object.defineProperty(this, 'nearest', { get: () => (found ??= nearest()), enumerable: true, configurable: true })
  }
}

/** A file whose bytes are not what its format says (code `FORMAT`). */
export class FormatError extends TokenbedError {
  readonly path: string
  /** The byte where it is wrong. */
  readonly offset: number
  /** Whether it is a text with bytes that are no UTF-8, which the option `invalidUtf8: 'replace'` reads. */
  readonly invalidUtf8: boolean
  constructor(message: string, path: string, offset: number, invalidUtf8 = false) {
    super('FORMAT', message)
    this.path = path
    this.offset = offset
    this.invalidUtf8 = invalidUtf8
  }
}

/** A file that cannot be opened, read or written (code `FILE`); `cause` is the system's error. */
export class FileError extends TokenbedError {
  readonly path: string
  constructor(message: string, path: string, cause: unknown) {
    super('FILE', message, { cause })
    this.path = path
  }
}

/**
 * The native part is missing or cannot be loaded (code `BINARY`); `cause` is the loader's error, where there was one.
 * The message holds `found`, `needed` and `mend`.
 */
export class BinaryError extends TokenbedError {
  /**
   * `missing`: the platform's package is not installed; `version`: it is of another version than tokenbed;
   * `unsupported`: there is none for this platform; `disabled`: Node was told to load no addons, or Deno was not
   * allowed to; `glibc`: the binary needs a newer glibc; `refused`: the system would not load it for another reason;
   * `bundled`: a bundler put tokenbed's code where its files are not.
   */
  readonly reason: 'missing' | 'version' | 'unsupported' | 'disabled' | 'glibc' | 'refused' | 'bundled'
  /** What this process is, and what was found for it. */
  readonly found: string
  readonly needed: string
  /** The command, or the step, that mends it. */
  readonly mend: string
  constructor(message: string, cause: unknown, details: Pick<BinaryError, 'reason' | 'found' | 'needed' | 'mend'>) {
    super('BINARY', message, { cause })
    this.reason = details.reason
    this.found = details.found
    this.needed = details.needed
    this.mend = details.mend
  }
}

/** Work that an AbortSignal ended (code `ABORTED`). */
export class AbortedError extends TokenbedError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ABORTED', message, options)
  }
}
