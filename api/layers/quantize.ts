// Tables of small elements: floats of 16 or 8 bits, integers of 8, 4 or 2 bits with a scale and a bias for each row,
// and the blocks of GGUF.

import { types } from 'node:util'
import { Contents } from '../base/contents.js'
import { facts } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { sameShape, shown } from '../base/shape.js'
import { track, untrack } from '../memory/scope.js'
import { asBytes, uninitialized, zeroTable } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { CONTENTS as TENSOR } from '../tensor/contents.js'
import { checkAttached, checkBytes, checkShape, checkWord, show } from '../base/validate.js'

/** The difference between a quantized table and its original, element by element. */
export interface QuantizationError {
  /** The largest difference. */
  max: number
  /** The mean difference. */
  mean: number
  /** The root of the mean squared difference. */
  rms: number
  /** The row with the largest difference. */
  worstRow: number
}

const KINDS = ['float16', 'bfloat16', 'int8', 'int4', 'int2', 'float8'] as const
type Kind = (typeof KINDS)[number]

/** The kinds of GGUF's blocks, and the number of elements in a block of each. */
const BLOCKS = {
  q8_0: 32,
  q4_0: 32,
  q4_1: 32,
  q5_0: 32,
  q5_1: 32,
  q2_k: 256,
  q3_k: 256,
  q4_k: 256,
  q5_k: 256,
  q6_k: 256,
} as const
type BlockKind = keyof typeof BLOCKS

const isBlock = (kind: unknown): kind is BlockKind => typeof kind === 'string' && Object.hasOwn(BLOCKS, kind)
const ALL_KINDS: readonly (Kind | BlockKind)[] = [...KINDS, ...(Object.keys(BLOCKS) as BlockKind[])]

/** The kind of the blocks that GGUF calls by this name, such as `Q4_K`. @internal */
export function blockKind(stored: string): BlockKind | undefined {
  const kind = stored.toLowerCase()
  return isBlock(kind) ? kind : undefined
}

/** Makes the constructor private at run time too. */
const PRIVATE = Symbol('by quantize')

/** Checks a shape [rows, dim] with at least one column. */
function checkTableShape(shape: unknown, where: string): [number, number] {
  const sizes = checkShape(shape, 0, where)
  if (sizes.length !== 2) throw new ShapeError(`${where}: a table must have the shape [rows, dim], not ${shown(sizes)}`)
  if (sizes[1] === 0) throw new UsageError(`${where}: a table must have at least one column`)
  return sizes as [number, number]
}

/** The number of bytes in a row. @throws ShapeError for a row that is no whole number of blocks. */
function bytesOfRow(kind: Kind | BlockKind, dim: number, where: string): number {
  if (isBlock(kind) && dim % BLOCKS[kind] !== 0) {
    throw new ShapeError(`${where}: rows of ${dim} are no whole number of blocks: ${kind} has ${BLOCKS[kind]} in each`)
  }
  return call(native.rowBytes(kind, dim))
}

/** A new tensor for a table's rows: of the 16-bit type itself, or uint8 for the bytes of all others. */
function emptyRows(kind: Kind | BlockKind, [rows, dim]: readonly [number, number], rowBytes: number): Tensor {
  return kind === 'float16' || kind === 'bfloat16' ? zeroTable(kind, [rows, dim]) : zeroTable('uint8', [rows, rowBytes])
}

/** Reads the private rows of a table; the class sets it. */
let rowsOf: (table: QuantizedTable) => Tensor

const CONTENTS = new Contents<QuantizedTable>('QuantizedTable', {
  instead: 'use toTensor() for its bytes, then share() for other threads or saveSafetensors for files',
  equal: (it) => TENSOR.equal(rowsOf(it)),
})

/**
 * A table in float16, bfloat16, int8, int4, int2, float8 or GGUF's blocks, for `Embedding.fromPretrained` and
 * `EmbeddingBag.fromPretrained`. It takes from half to a sixteenth of float32's memory. `quantize` makes one of the
 * first six kinds, `QuantizedTable.fromBytes` of all, and `loadGGUF` has those of a file.
 *
 * Rows of integers have the layout of FBGEMM's fused rows, so bytes can be exchanged both ways: int8 is `[dim x uint8]
 * [float32 scale][float32 bias]`, int4 is `[ceil(dim / 2) bytes, even columns in the low nibbles][float16
 * scale][float16 bias]`, and int2 the same with four columns in a byte, the first in its lowest bits. A stored q means
 * `q * scale + bias`.
 *
 * Rows of float8 are `[dim x uint8]`, FBGEMM's 8-bit floats: a sign, 4 bits of exponent with a bias of 7, and 3 of
 * mantissa, without infinities and NaN. Up to 240 the bits are those of PyTorch's `float8_e4m3fn`.
 *
 * Rows of blocks (`q8_0`, `q4_0`, `q4_1`, `q5_0`, `q5_1` of 32 elements, `q2_k` to `q6_k` of 256) are GGUF's, and mean
 * the numbers that its Python package makes of them, to the bit. Lookups decode the rows that they need.
 *
 * To save a table, save `toTensor()`; to load it, give that tensor to `QuantizedTable.fromBytes`.
 */
export class QuantizedTable {
  readonly kind: Kind | BlockKind
  /** (rows, dim) of the table as floats, without scales and biases; frozen. */
  readonly shape: readonly number[]
  readonly #rows: Tensor
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @internal */
  constructor(key: symbol, kind: Kind | BlockKind, shape: readonly [number, number], rows: Tensor) {
    if (key !== PRIVATE)
      throw new UsageError('a QuantizedTable comes from quantize() or QuantizedTable.fromBytes(), not from new')
    this.kind = kind
    this.shape = Object.freeze([...shape])
    this.#rows = rows
    // A scope keeps or disposes the table as a whole.
    untrack(rows)
    track(this)
  }

  /**
   * Makes a table of existing rows: a Uint8Array is copied; a uint8 tensor of `rows * bytes of a row` elements, such as
   * one that `loadSafetensors` maps, shares its memory. 16-bit kinds also take a tensor of their own type.
   *
   * @throws ShapeError if the number of bytes does not match, or the block of a kind of GGUF does not divide `dim`.
   */
  static fromBytes(kind: QuantizedTable['kind'], shape: readonly number[], bytes: Uint8Array | Tensor): QuantizedTable {
    const where = 'QuantizedTable.fromBytes'
    checkWord(kind, ALL_KINDS, `${where}: kind`)
    const sizes = checkTableShape(shape, where)
    const rowBytes = bytesOfRow(kind, sizes[1], where)
    const need = sizes[0] * rowBytes
    checkBytes(need, where, shown(sizes))
    const have =
      bytes instanceof Tensor
        ? bytes.size * facts(bytes.dtype).bytes
        : types.isUint8Array(bytes)
          ? bytes.length
          : undefined
    if (have === undefined) throw new UsageError(`${where}: bytes must be a Uint8Array or a tensor, not ${show(bytes)}`)
    if (have === 0 && types.isUint8Array(bytes)) checkAttached(bytes, where)
    if (have !== need) {
      throw new ShapeError(
        `${where}: ${sizes[0]} rows of ${sizes[1]} ${kind} take ${need} bytes (${rowBytes} each), not ${have}`,
      )
    }
    if (bytes instanceof Tensor)
      return new QuantizedTable(PRIVATE, kind, sizes, shared(kind, sizes, rowBytes, bytes, where))
    const rows = emptyRows(kind, sizes, rowBytes)
    const flat = asBytes(rows)
    flat.set(bytes)
    flat.dispose()
    return new QuantizedTable(PRIVATE, kind, sizes, rows)
  }

  /**
   * The bytes of all rows as a live view: writing here changes the table. It is a copy if the host forbids live views
   * (`capabilities().liveData` is false).
   */
  get bytes(): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.#rows.data
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
  }

  /**
   * The rows as a tensor that shares their memory: (rows, dim) for float16 and bfloat16, uint8 (rows, bytes of a row)
   * for all others. Use it for saving: `saveSafetensors(path, { weight: table.toTensor() })`.
   */
  toTensor(): Tensor {
    return this.#rows.detach()
  }

  /** The table as float32, (rows, dim). */
  dequantize(): Tensor {
    const where = 'QuantizedTable.dequantize'
    const [rows, dim] = this.shape
    const result = uninitialized('float32', [rows, dim], where)
    check(native.dequantizeRows(this.kind, this.#rows.operand(), rows, dim, result.operand()))
    return result
  }

  /** The difference between this table and the original, computed in float64. */
  error(original: Tensor): QuantizationError {
    const where = 'QuantizedTable.error'
    const [rows, dim] = this.shape
    const wide = asFloat32(original, where)
    try {
      if (!sameShape(original.shape, this.shape))
        throw new ShapeError(
          `${where}: original must have the shape ${shown(this.shape)}, not ${shown(original.shape)}`,
        )
      const [max, mean, rms, worstRow] = call(
        native.quantizationError(this.kind, this.#rows.operand(), rows, dim, wide.operand()),
      )
      return { max, mean, rms, worstRow }
    } finally {
      wide.dispose()
    }
  }

  /** Frees the memory now, unless a layer or a tensor shares it. Every later use is a UsageError. */
  dispose(): void {
    untrack(this)
    this.#rows.dispose()
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #rows in value && isInstance(this, QuantizedTable, value)
  }

  static {
    guardReceivers(this, (value) => #rows in value)
    CONTENTS.guard(this, (value) => #rows in value)
    rowsOf = (table) => table.#rows
  }
}

/** The rows of a table as a tensor over `bytes`, which shares its memory if it can. */
function shared(
  kind: Kind | BlockKind,
  sizes: readonly [number, number],
  rowBytes: number,
  bytes: Tensor,
  where: string,
): Tensor {
  const half = kind === 'float16' || kind === 'bfloat16'
  if (half && bytes.dtype === kind) return bytes.detach().reshape(...sizes)
  if (bytes.dtype !== 'uint8')
    throw new DTypeError(
      `${where}: a tensor of ${kind} rows must be uint8${half ? ` or ${kind}` : ''}, not ${bytes.dtype}`,
    )
  if (!half) return bytes.detach().reshape(sizes[0], rowBytes)
  // Rows of 16 bits are read as such and must be aligned, which these bytes may not be, so they are copied.
  const rows = emptyRows(kind, sizes, rowBytes)
  const flat = asBytes(rows)
  flat.set(bytes)
  flat.dispose()
  return rows
}

/** A float tensor as float32. The caller always disposes the result. */
function asFloat32(tensor: unknown, where: string): Tensor {
  if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(tensor)}`)
  if (facts(tensor.dtype).kind !== 'float')
    throw new DTypeError(`${where}: the tensor must be of floats, not ${tensor.dtype}`)
  return tensor.to('float32')
}

/**
 * Stores a table (rows, dim) in fewer bits. `float16`, `bfloat16` and `float8` round to nearest even, and `float8`
 * stores values beyond 240 as 240; `int8`, `int4` and `int2` have a scale and a bias for each row. Float8 and integers
 * have the same bytes as FBGEMM's. `error(original)` of the result measures the loss.
 *
 * @throws UsageError, which names the element, for NaN and infinities in float8 and integers, and for values beyond
 * float16's range in int4 and int2; also for the kinds of GGUF's blocks, which are read and not made.
 */
export function quantize(weight: Tensor, kind: Kind): QuantizedTable {
  const where = 'quantize'
  if (isBlock(kind))
    throw new UsageError(
      `${where}: ${kind} is a kind of GGUF's blocks, which are read and not made: take int8, int4, int2 or float8`,
    )
  checkWord(kind, KINDS, `${where}: kind`)
  const wide = asFloat32(weight, where)
  let rows: Tensor | undefined
  try {
    const sizes = checkTableShape([...weight.shape], where)
    const rowBytes = call(native.rowBytes(kind, sizes[1]))
    checkBytes(sizes[0] * rowBytes, where, shown(sizes))
    rows = emptyRows(kind, sizes, rowBytes)
    check(native.quantizeRows(kind, wide.operand(), sizes[1], rows.operand()))
    return new QuantizedTable(PRIVATE, kind, sizes, rows)
  } catch (error) {
    rows?.dispose()
    throw error
  } finally {
    wide.dispose()
  }
}
