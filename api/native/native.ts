// The only way to the native side: calls it and turns its failures into typed errors.

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

/** A storage that the native side owns. Opaque. */
export type Handle = NonNullable<ReturnType<typeof Native.storageZeroed>>
/** Work that runs off the thread. Opaque. */
export type Work = NonNullable<ReturnType<typeof Native.embeddingWork>>
/** The state of a table that the native side keeps between calls. Opaque. */
export type Lookup = NonNullable<ReturnType<typeof Native.lookupNew>>
/** The state of an input layer that the native side keeps between calls. Opaque. */
export type InputLayer = NonNullable<ReturnType<typeof Native.inputLayerNew>>
/** The rows that an optimizer has yet to update. Opaque. */
export type LazyRows = NonNullable<ReturnType<typeof Native.lazyNew>>
/** Rows of a table's gradient. */
export type GradOperand = Native.GradOperand
/** A parameter and its optimizer state. */
export type ParameterOperand = Native.ParameterOperand
/** Bags of ids, for backward. */
export type BagsOperand = Native.BagsOperand
/** How T5 assigns distances to buckets. */
export type BucketsOperand = Native.BucketsOperand
/** The inputs of an input layer. */
export type InputsOperand = Native.InputsOperand
/** Elements in the form that the native side borrows. */
export type Operand = Native.Operand
/** How to treat an id without a row: a word, or the row to use instead. */
export type OnBadId = Native.OnBadId
/** Layout of a table's rows. */
export type RowFormat = Native.Word<Native.RowFormat>
/** How the vectors of a bag are combined. */
export type BagMode = Native.Word<Native.Mode>
/** How rotary frequencies are scaled. */
export type RotaryScale = Native.RotaryScale

const loaded = loadBinary()

export const native = loaded.exports as typeof Native

/**
 * Whether the binary makes its objects in another realm, because this module was loaded in a context of `vm`, as Jest
 * does.
 */
const isForeign = Object.getPrototypeOf(native.nativeInfo() ?? {}) !== Object.prototype

/**
 * Facts about the binary. They are read at load, so that an instruction set forced by the environment fails at once if
 * this machine lacks it.
 */
export const binary = { ...call(native.nativeInfo()), path: loaded.path, source: loaded.source }
checkVersion(loaded, binary.version)

/** Whether the operand is a handle on Rust's memory. */
export function isHandle(operand: Operand): operand is Handle {
  return !ArrayBuffer.isView(operand)
}

/**
 * The value of a native call; a failure is thrown as a typed error. `shape` is the shape of the ids, which locates a
 * bad one.
 */
export function call<T>(value: T | null | undefined, shape?: readonly number[]): T {
  if (value === null || value === undefined) throw failure(shape)
  return isForeign ? ours(value) : value
}

/** Like `call`, for native calls that return a status. */
export function check(done: boolean, shape?: readonly number[]): void {
  if (!done) throw failure(shape)
}

function failure(shape: readonly number[] = []): TokenbedError {
  return failureOf(native.takeFailure(), shape)
}

/** The typed error for a report. Work on another thread returns its report with its answer. */
export function failureOf(it: Native.Report | null | undefined, shape: readonly number[] = []): TokenbedError {
  if (!it)
    return new TokenbedError('INTERNAL', 'a native call failed without a reason (a bug in tokenbed: please report it)')
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

/** Node's codes for errors of Windows, by number. */
const WINDOWS_CODES: Record<number, string> = { 2: 'ENOENT', 3: 'ENOENT', 5: 'EACCES', 32: 'EBUSY' }

/** An error as Node's file functions throw it, with `errno` and a `code` such as ENOENT. */
function systemError(message: string, errno?: number | null): Error {
  const error: NodeJS.ErrnoException = new Error(message)
  if (errno) {
    error.errno = -errno
    // Windows numbers its errors differently; most of them get no code, only the message.
    const code = process.platform === 'win32' ? WINDOWS_CODES[errno] : getSystemErrorName(-errno)
    if (code !== undefined) error.code = code
  }
  return error
}

/**
 * The native side uses this at the end of a thread to find out whether memory was moved out of the thread. Deno does
 * not need it: it reports a buffer's memory as free when it is, whoever owns the buffer by then.
 */
const { transfer } = (process.versions.deno ? {} : ArrayBuffer.prototype) as { transfer?: () => ArrayBuffer }

/** The live buffer over a storage, to be made once and kept; null if the host forbids it. */
export const liveBuffer = (handle: Handle): ArrayBuffer | null => native.storageBuffer(handle, transfer)
