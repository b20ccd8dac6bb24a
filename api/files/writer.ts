// Files that are written row by row.

import { resolve } from 'node:path'
import { types } from 'node:util'
import { Contents } from '../base/contents.js'
import { checkDType, facts, type DType, type TypedArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { checkMetadata } from './tensors.js'
import { ended, readingAll } from '../layers/async.js'
import { scopeless } from '../memory/scope.js'
import { call, check, failureOf, native, type Operand } from '../native/native.js'
import { guardReceivers } from '../base/receivers.js'
import { sameShape, shown, sizeOf } from '../base/shape.js'
import { bufferOf, kindName } from '../base/realm.js'
import { Tensor } from '../tensor/tensor.js'
import {
  checkAttached,
  checkOptions,
  checkPath,
  checkShape,
  checkWellFormed,
  isArray,
  isObject,
  show,
  type FilePath,
} from '../base/validate.js'

/** A tensor that grows by rows: its element type, and the shape of one row (`[]` if a row is one number). */
export interface RowSpec {
  dtype: DType
  shape: readonly number[]
}

export interface TensorWriterOptions {
  /** Strings to keep in the header. Only safetensors files can hold them. */
  metadata?: Record<string, string>
}

interface Column extends RowSpec {
  readonly index: number
  /** Number of elements of a row. */
  readonly size: number
}

/**
 * Unfinished writers, which are aborted when the process exits. The references are weak, so writers can be collected
 * before.
 */
const open = new Set<WeakRef<TensorWriter>>()
let listening = false

function enter(writer: WeakRef<TensorWriter>): void {
  for (const other of open) if (other.deref() === undefined) open.delete(other)
  open.add(writer)
  if (listening) return
  listening = true
  process.on('exit', () => open.forEach((writer) => writer.deref()?.abort()))
}

const CONTENTS = new Contents<TensorWriter>('TensorWriter', {
  instead: 'it belongs to its file, and to the thread that made it',
})

/**
 * Writes tensors to a file row by row. Memory does not grow with the number of rows, and the file appears whole, at
 * `close()`, or not at all. A writer that ends otherwise (by `abort()`, at the end of a `using` block, by garbage
 * collection, or when the process exits) leaves nothing behind; on Linux even a killed process leaves nothing.
 *
 * ```ts
 * using writer = new TensorWriter('vectors.safetensors', { vectors: { dtype: 'float32', shape: [768] } })
 * for await (const { inputs } of batches) writer.write('vectors', layer.forward(inputs).reshape(-1, 768))
 * writer.close()
 * ```
 *
 * In a safetensors file the tensor with the largest rows comes first and is streamed straight into the file. If the
 * elements after it would not be aligned, the tensor with the widest elements comes first instead. The others are kept
 * in unnamed files in the same folder until `close()` appends them, and meanwhile take their disk space twice. An .npy
 * file holds one tensor.
 */
export class TensorWriter {
  /** The file, absolute. */
  readonly path: string
  readonly #columns = new Map<string, Column>()
  readonly #rows: NonNullable<ReturnType<typeof native.rowsCreate>>
  readonly #self = new WeakRef(this)
  /** The end of the last asynchronous write, which never rejects, or null if none is under way. */
  #underWay: Promise<unknown> | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * @param path The path of the file; the ending (`.safetensors` or `.npy`) sets the format.
   * @param tensors Element type and shape of one row, by name. In an .npy file the name is not kept.
   * @throws UsageError for an unknown ending, for no tensors, or for something that the format cannot hold (several
   * tensors or metadata in an .npy file; names and metadata that make a header of more than 100,000,000 bytes);
   * DTypeError for an element type that it cannot hold (bfloat16 in an .npy file); ShapeError for a shape that readers
   * refuse (rows of 64 dimensions in an .npy file); FileError if the folder does not exist or cannot be written, or if
   * `path` is not a file that may be replaced.
   */
  constructor(path: FilePath, tensors: Record<string, RowSpec>, options?: TensorWriterOptions) {
    const where = 'TensorWriter'
    this.path = resolve(checkPath(path, where))
    const { metadata = {} } = checkOptions(options, ['metadata'], where)
    const texts = checkMetadata(metadata, where)
    if (!isObject(tensors) || isArray(tensors) || tensors instanceof Tensor) {
      throw new UsageError(`${where}: tensors must be { name: { dtype, shape } }, not ${show(tensors)}`)
    }
    for (const [name, spec] of Object.entries(tensors)) {
      checkWellFormed(name, `${where}: the name ${show(name)}`)
      this.#columns.set(name, columnOf(spec, this.#columns.size, `${where}: "${name}"`))
    }
    this.#rows = call(
      native.rowsCreate(
        this.path,
        [...this.#columns].map(([name, { dtype, shape }]) => ({ name, dtype, shape: [...shape] })),
        texts.map(([key, text]) => ({ key, text })),
      ),
    )
    enter(this.#self)
  }

  /**
   * Appends rows.
   *
   * @param name The name of a tensor that the constructor was given.
   * @param rows A tensor of shape `(n, ...shape)`, or a typed array of n rows end to end (float16 and bfloat16 as their
   * bits in a Uint16Array, bool as 0 and 1 in a Uint8Array). They have been written when this returns.
   * @throws ShapeError or DTypeError if the rows differ from the declaration, UsageError for a name that was not
   * declared: the writer can still be used then. FileError if the disk is full or fails (`cause` is the system's
   * error): the writer has ended then, and nothing is left behind. UsageError after `close()` or `abort()`, and while
   * rows of `writeAsync` are being written.
   */
  write(name: string, rows: Tensor | TypedArray): this {
    this.#checkIdle('write')
    const { column, count, elements } = this.#rowsOf(name, rows, 'write')
    check(native.rowsAppend(this.#rows, column, count, elements))
    return this
  }

  /**
   * The same as `write` of a tensor, on another thread: the system lets a writer wait for the disk when much was
   * written before. Calls take their turns in the order in which they were made. The tensor can be disposed of at once;
   * until the promise is settled, the API does not change it.
   *
   * @param rows A tensor of shape `(n, ...shape)`. One whose `data` was asked for is copied first.
   * @throws Rejects with what `write` throws. After a FileError, calls that follow reject, too.
   */
  async writeAsync(name: string, rows: Tensor): Promise<void> {
    if (!(rows instanceof Tensor))
      throw new UsageError(`TensorWriter.writeAsync: rows must be a tensor, not ${show(rows)}`)
    const { column, count } = this.#rowsOf(name, rows, 'writeAsync')
    const lent = rows.lendable ? rows : scopeless(() => rows.detach().clone())
    const before = this.#underWay
    const running = readingAll([lent], async ([handle]) => {
      // It holds the rows from now on.
      const work = call(native.rowsAppendWork(this.#rows, column, count, handle))
      if (before !== null) await before
      return ended(work, undefined)
    })
    const quiet = running.then(
      () => {},
      () => {},
    )
    this.#underWay = quiet
    try {
      const { failure } = await running
      if (failure) throw failureOf(failure)
    } finally {
      if (this.#underWay === quiet) this.#underWay = null
      if (lent !== rows) lent.dispose()
    }
  }

  /** Checks rows, and returns the number of their column, how many they are, and their elements. */
  #rowsOf(name: string, rows: Tensor | TypedArray, method: string) {
    const column = this.#columns.get(name)
    if (column === undefined) {
      const known = [...this.#columns.keys()].map((name) => `"${name}"`).join(', ')
      throw new UsageError(`TensorWriter.${method}: no tensor is called ${show(name)}; declared: ${known}`)
    }
    const where = `TensorWriter.${method}: "${name}"`
    const [count, elements] = rows instanceof Tensor ? ofTensor(rows, column, where) : ofArray(rows, column, where)
    return { column: column.index, count, elements }
  }

  /** Rows that were given to `writeAsync` come before what follows. */
  #checkIdle(method: string): void {
    if (this.#underWay !== null)
      throw new UsageError(`TensorWriter.${method}: rows of writeAsync are still being written: await them first`)
  }

  /**
   * Completes the file, waits until it is on the disk, and renames it to its path, replacing an existing file.
   *
   * @throws FileError if that fails: nothing is left behind then, and an existing file is unchanged. UsageError after
   * `close()` or `abort()`, and while rows of `writeAsync` are being written.
   */
  close(): void {
    this.#checkIdle('close')
    // Whether the call succeeds or not, there is nothing left to abort.
    open.delete(this.#self)
    check(native.rowsClose(this.#rows))
  }

  /**
   * The same as `close`, and the event loop goes on while the disk works. Rows of `writeAsync` are waited for. A worker
   * that ends, or a process that exits, before the promise is settled leaves the file whole or not at all.
   *
   * @throws Rejects with what `close` throws.
   */
  async closeAsync(): Promise<void> {
    if (this.#underWay !== null) await this.#underWay
    open.delete(this.#self)
    const { failure } = await ended(call(native.rowsCloseWork(this.#rows)), undefined)
    if (failure) throw failureOf(failure)
  }

  /**
   * Ends the writer and leaves nothing behind. It is synchronous and quick, so a signal handler may call it; after
   * `close()` or another `abort()` it does nothing.
   */
  abort(): void {
    open.delete(this.#self)
    check(native.rowsAbort(this.#rows))
  }

  /** The same as `abort`, for `using`; after `close()` it does nothing. */
  [Symbol.dispose](): void {
    this.abort()
  }

  static {
    guardReceivers(this, (value) => #columns in value)
    CONTENTS.guard(this, (value) => #columns in value)
  }
}

function columnOf(spec: unknown, index: number, where: string): Column {
  if (!isObject(spec)) throw new UsageError(`${where} must be { dtype, shape }, not ${show(spec)}`)
  const { dtype, shape } = checkOptions(spec as Partial<RowSpec>, ['dtype', 'shape'], where)
  const type = checkDType(dtype, where)
  const sizes = checkShape(shape, facts(type).bytes, where)
  return { index, dtype: type, shape: sizes, size: sizeOf(sizes) }
}

function ofTensor(rows: Tensor, { dtype, shape }: Column, where: string): [number, Operand] {
  if (rows.dtype !== dtype)
    throw new DTypeError(`${where}: rows must be ${dtype}, not ${rows.dtype}: write rows.to('${dtype}')`)
  if (rows.shape.length === 0 || !sameShape(rows.shape.slice(1), shape)) {
    throw new ShapeError(
      `${where}: rows must have the shape ${shown(['n', ...shape] as never)}, not ${shown(rows.shape)}`,
    )
  }
  return [rows.shape[0], rows.operand()]
}

function ofArray(rows: TypedArray, { dtype, shape, size }: Column, where: string): [number, Operand] {
  const { array } = facts(dtype)
  if (!ArrayBuffer.isView(rows))
    throw new UsageError(`${where}: rows must be a tensor or a typed array, not ${show(rows)}`)
  // Types are compared by name, because arrays of other realms are accepted too.
  if (kindName(rows) !== array.name) {
    const found = kindName(rows) ?? 'DataView'
    throw new DTypeError(`${where}: rows of ${dtype} must be a ${array.name}, not a ${found}`)
  }
  if (rows.length === 0) checkAttached(rows, where)
  if (size === 0)
    throw new ShapeError(
      `${where}: rows of shape ${shown(shape)} have no elements, so an array does not tell their number: give a tensor`,
    )
  if (rows.length % size !== 0)
    throw new ShapeError(`${where}: ${rows.length} elements are not whole rows of shape ${shown(shape)}`)
  // Memory that another thread may write to meanwhile is copied first.
  const elements = types.isArrayBuffer(bufferOf(rows))
    ? rows
    : new (array as never as new (rows: TypedArray) => TypedArray)(rows)
  return [rows.length / size, elements]
}
