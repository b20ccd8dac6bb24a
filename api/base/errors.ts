// All errors that this package throws on purpose. Errors of the native side are rebuilt from its reports.

/** The base class of all errors; `code` is stable, and programs may switch on it. */
export class TokenbedError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}

/** An id without a row in the table, or one that is not a token (code `TOKEN_INDEX`). */
export class TokenIndexError extends TokenbedError {
  /** The position of the first bad id, one index per dimension. */
  readonly position: number[]
  /** The first bad id. */
  readonly value: number
  /** Number of rows in the table. */
  readonly size: number
  /** Number of bad ids. */
  readonly count: number
  constructor(what: string, fields: { position: number[]; value: string; size: number; count: number }) {
    const { position, value, size, count } = fields
    const more = count > 1 ? ` (${count - 1} more)` : ''
    // Some encodings leave ids between their tokens unused.
    const isBetween = Number(value) >= 0 && Number(value) < size
    const why = isBetween
      ? `is not a token: the encoding leaves this id unused`
      : `is out of range for ${what === 'target' ? `${size} classes` : `a table of ${size} rows`}`
    // Positions out of range lie beyond the context, so say what makes it longer.
    const longer =
      what === 'position' && Number(value) >= size
        ? `; to extend the context, resize the table with interpolatePositions()`
        : ''
    super('TOKEN_INDEX', `${what} ${value} at [${position.join(', ')}] ${why}${more}${longer}`)
    this.position = position
    this.value = Number(value)
    this.size = size
    this.count = count
  }
}

/** Shapes that do not fit together (code `SHAPE`). */
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

/** A call with arguments or settings that cannot work (code `USAGE`). */
export class UsageError extends TokenbedError {
  /** The special token that a text contains although it is not allowed, if that is the cause. */
  declare readonly specialToken?: string
  /** The environment variable whose value cannot be used, if that is the cause. */
  declare readonly setting?: string
  constructor(message: string, options?: { cause?: unknown; specialToken?: string; setting?: string }) {
    super('USAGE', message, options)
    if (options?.specialToken !== undefined) this.specialToken = options.specialToken
    if (options?.setting !== undefined) this.setting = options.setting
  }
}

/** The system has not enough memory (code `USAGE`). The call did nothing and may be repeated. */
export class MemoryError extends UsageError {
  /** Number of bytes that were requested at once. */
  readonly bytes: number
  constructor(message: string, bytes: number, options?: { cause?: unknown }) {
    super(message, options)
    this.bytes = bytes
  }
}

/** Whether an error says that a caller was wrong, and not that memory is lacking. @internal */
export const isWrongUse = (error: unknown): error is UsageError =>
  error instanceof UsageError && !(error instanceof MemoryError)

/** A text without a row in the table (code `USAGE`). */
export class UnknownTokenError extends UsageError {
  /** The text. */
  readonly token: string
  /**
   * For a vocabulary of words, up to three that are spelled most like it, the nearest first; for a tokenizer, the first
   * eight tokens that it splits into. They are looked for on first access, which takes some milliseconds if there are
   * many words.
   */
  declare readonly nearest: readonly string[]
  constructor(message: string, token: string, nearest: () => readonly string[]) {
    super(message)
    this.token = token
    let found: readonly string[] | undefined
    Object.defineProperty(this, 'nearest', { get: () => (found ??= nearest()), enumerable: true, configurable: true })
  }
}

/** A file whose bytes do not follow its format (code `FORMAT`). */
export class FormatError extends TokenbedError {
  readonly path: string
  /** Byte offset of the fault. */
  readonly offset: number
  /** Whether the file is a text with invalid UTF-8, which the option `invalidUtf8: 'replace'` reads. */
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
 * The native part is missing or cannot be loaded (code `BINARY`); `cause` is the loader's error, if there was one. The
 * message contains `found`, `needed` and `mend`.
 */
export class BinaryError extends TokenbedError {
  /**
   * The reason:
   *
   * - `missing`: the platform's package is not installed;
   * - `version`: its version is not that of tokenbed;
   * - `unsupported`: there is no binary for this platform;
   * - `disabled`: Node was told to load no addons, or Deno may not load native code;
   * - `glibc`: the binary needs a newer glibc;
   * - `refused`: the system did not load it for another reason;
   * - `bundled`: a bundler separated tokenbed's code from its files.
   */
  readonly reason: 'missing' | 'version' | 'unsupported' | 'disabled' | 'glibc' | 'refused' | 'bundled'
  /** The platform of this process, and what was found for it. */
  readonly found: string
  readonly needed: string
  /** The command or step that repairs it. */
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
