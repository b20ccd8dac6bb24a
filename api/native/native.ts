// The one door to the native side: calls it, and turns its failures into typed errors.

import { getSystemErrorName } from 'node:util'
import { checkVersion, loadBinary } from './binary.js'
import {
  DTypeError,
  FileError,
  FormatError,
  MemoryError,
  ShapeError,
  TokenbedError,
  TokenIndexError,
  UsageError,
} from '../base/errors.js'
import { ours } from '../base/realm.js'
import { unravel } from '../base/shape.js'
import type * as Native from '../../native.cjs'

/** What the native side knows of a storage it owns. Opaque. */
export type Handle = NonNullable<ReturnType<typeof Native.storageZeroed>>
/** Work off the thread. Opaque. */
export type Work = NonNullable<ReturnType<typeof Native.embeddingWork>>
/** What the native side keeps of a table between calls. Opaque. */
export type Lookup = NonNullable<ReturnType<typeof Native.lookupNew>>
/** What the native side keeps of an input layer between calls. Opaque. */
export type InputLayer = NonNullable<ReturnType<typeof Native.inputLayerNew>>
/** What the native side knows of rows that are behind. Opaque. */
export type LazyRows = NonNullable<ReturnType<typeof Native.lazyNew>>
/** Rows of a table's gradient. */
export type GradOperand = Native.GradOperand
/** A parameter and the state of its optimizer. */
export type ParameterOperand = Native.ParameterOperand
/** Bags of ids, for the way back. */
export type BagsOperand = Native.BagsOperand
/** How T5 puts distances in buckets. */
export type BucketsOperand = Native.BucketsOperand
/** What goes through an input layer. */
export type InputsOperand = Native.InputsOperand
/** Elements as the native side borrows them. */
export type Operand = Native.Operand
/** What is done about an id without a row: a word, or the row that stands in. */
export type OnBadId = Native.OnBadId
/** Layouts of a table's rows. */
export type RowFormat = Native.Word<Native.RowFormat>
/** What becomes of the vectors of a bag. */
export type BagMode = Native.Word<Native.Mode>
/** How rotary frequencies are scaled. */
export type RotaryScale = Native.RotaryScale

const loaded = loadBinary()

export const native = loaded.exports as typeof Native

/** Whether the binary makes its objects in another realm: this module was loaded in a context of `vm`, as by Jest. */
const isForeign = Object.getPrototypeOf(native.nativeInfo() ?? {}) !== Object.prototype

/**
 * What the binary is; asked once, so that an instruction set forced by the environment that is not there is told at
 * once.
 */
export const binary = { ...call(native.nativeInfo()), path: loaded.path, source: loaded.source }
checkVersion(loaded, binary.version)

/** Whether elements are Rust's, behind a handle. */
export function isHandle(operand: Operand): operand is Handle {
  return !ArrayBuffer.isView(operand)
}

/**
 * The value of a native call, or its failure as a typed error. `shape` is that of the ids, to say where a bad one is.
 */
export function call<T>(value: T | null | undefined, shape?: readonly number[]): T {
  if (value === null || value === undefined) throw failure(shape)
  return isForeign ? ours(value) : value
}

/** As `call`, for native calls that answer with a status. */
export function check(done: boolean, shape?: readonly number[]): void {
  if (!done) throw failure(shape)
}

function failure(shape: readonly number[] = []): TokenbedError {
  return failureOf(native.takeFailure(), shape)
}

/** The typed error of a report: of work on another thread, which hands it over with its answer. */
export function failureOf(it: Native.Report | null | undefined, shape: readonly number[] = []): TokenbedError {
  if (!it) return new TokenbedError('INTERNAL', 'a native call failed and does not say why: please report this')
  switch (it.code) {
    case 'TOKEN_INDEX': {
      const position = shape.length === 0 && it.flat === 0 ? [] : unravel(it.flat ?? 0, shape)
      const fields = { position, value: it.value ?? '', size: it.rows ?? 0, count: it.count ?? 1 }
      return new TokenIndexError(it.what ?? 'id', fields)
    }
    case 'SHAPE':
      return new ShapeError(it.message)
    case 'DTYPE':
      return new DTypeError(it.message)
    case 'MEMORY':
      return new MemoryError(it.message, it.count ?? 0)
    case 'USAGE':
      return new UsageError(it.message, { specialToken: it.specialToken, setting: it.setting })
    case 'FORMAT':
      return new FormatError(it.message, it.path ?? '', it.offset ?? 0, it.invalidUtf8)
    case 'FILE':
      return new FileError(it.message, it.path ?? '', systemError(it.cause ?? it.message, it.errno))
    default:
      return new TokenbedError('INTERNAL', `${it.message} (a bug in tokenbed: please report it)`)
  }
}

/** Errors of Windows by what Node calls them. */
const WINDOWS_CODES: Record<number, string> = { 2: 'ENOENT', 3: 'ENOENT', 5: 'EACCES', 32: 'EBUSY' }

/** As Node's own file functions throw it: with `errno` and a `code` such as ENOENT. */
function systemError(message: string, errno?: number | null): Error {
  const error: NodeJS.ErrnoException = new Error(message)
  if (errno) {
    error.errno = -errno
    // Windows numbers its errors otherwise; of most the message alone speaks there.
    const code = process.platform === 'win32' ? WINDOWS_CODES[errno] : getSystemErrorName(-errno)
    if (code !== undefined) error.code = code
  }
  return error
}

/**
 * By which the native side tells, at the end of a thread, whether memory was moved out of it. Deno needs it not: there
 * a buffer's memory is told to be free when it is, whoever has it by then.
 */
const { transfer } = (process.versions.deno ? {} : ArrayBuffer.prototype) as { transfer?: () => ArrayBuffer }

/** The live buffer over a storage, to be made once and kept; null where the host forbids it. */
export const liveBuffer = (handle: Handle): ArrayBuffer | null => native.storageBuffer(handle, transfer)
