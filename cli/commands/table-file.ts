// Writes tables to a file in blocks of rows, as they are, in another element type, or quantized.

import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  Embedding,
  loadSafetensors,
  quantize,
  saveNpz,
  saveSafetensors,
  saveWord2Vec,
  Tensor,
  TensorWriter,
  Vectors,
  zeros,
  type DType,
  type Tokenizer,
} from '../../index.js'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { counted } from '../terminal/numbers.js'
import { MadeTable, quantizedNote, type Opened, type QuantizedKind, type Table } from '../options/openers.js'
import { startProgress, type Progress } from '../terminal/progress.js'
import { breathe, onEnd } from '../terminal/signals.js'
import { visibleText } from '../terminal/pieces.js'

/** The kinds of files that are written. */
export type Format = 'safetensors' | 'npy' | 'npz' | 'words' | 'binary words' | 'glove'

/**
 * How far quantized rows are from what they were: the largest difference, the mean one, and the root of the mean
 * square.
 */
export interface QuantizedError {
  readonly max: number
  readonly mean: number
  readonly rms: number
}

/** The differences of the rows so far. */
interface Loss {
  readonly max: number
  readonly sum: number
  readonly squares: number
  readonly elements: number
}

/** The number of bytes in a quantized row. */
function bytesOfRow(kind: QuantizedKind, dim: number): number {
  const table = quantize(zeros([1, dim]), kind)
  const row = table.toTensor()
  const [, bytes] = row.shape
  row.dispose()
  table.dispose()
  return bytes
}

/** The names of the tensors that are written. */
export function chosen(
  { tensors, table }: Opened,
  input: string,
  asked: string[] | undefined,
  format: Format,
): string[] {
  const known = () => {
    const names = [...tensors.keys()]
    return `${names.slice(0, 12).map(visibleText).join(', ')}${names.length > 12 ? ` and ${names.length - 12} more` : ''}`
  }
  const missing = asked?.find((name) => !tensors.has(name))
  if (missing !== undefined)
    throw new WrongUse(`--tensor ${missing}: ${input} has no such tensor; it has: ${known() || 'none'}`)
  const names = asked ? [...new Set(asked)] : table !== null ? [table] : [...tensors.keys()]
  if (names.length === 0) throw new WorkFailed(`${input}: it has no tensors`)
  if (names.length > 1 && format !== 'safetensors' && format !== 'npz')
    throw new WrongUse(
      `${input}: OUT holds one table: which of its ${counted(names.length, 'tensor')}? Name one with --tensor: ${known()}`,
    )
  return names
}

/** Bytes of a block of rows: little beside what the process takes anyway, and enough to be quick. */
const BLOCK = 4 << 20
/** Tensors up to this size are converted in memory. */
const SMALL = 8 << 20

const BYTES = { float32: 4, float64: 8, float16: 2, bfloat16: 2, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 }

/** Reads rows of a table, as a tensor of its own. */
function reader(table: Table): (first: number, count: number) => Tensor {
  if (table instanceof Tensor) return (first, count) => table.narrow(0, first, count)
  if (table instanceof MadeTable) return (first, count) => table.rows(first, count)
  const lookup = Embedding.fromPretrained(table)
  return (first, count) => lookup.forward(Int32Array.from({ length: count }, (_, i) => first + i))
}

/** The writing of a file, with tables in blocks of rows. */
export class TableFile {
  readonly #out: string
  readonly #dtype: DType | undefined
  readonly #kind: QuantizedKind | undefined
  /** How far the rows that were quantized are from what they were. */
  readonly #errors = new Map<Table, Loss>()
  readonly #tables: ReadonlyMap<string, Table>
  readonly #progress: Progress
  readonly #forget: () => void
  #folder: string | null = null
  #rows = 0
  #bytes = 0

  constructor(
    out: string,
    { dtype, kind }: { dtype?: DType | undefined; kind?: QuantizedKind },
    tables: ReadonlyMap<string, Table>,
    quiet: boolean,
  ) {
    this.#out = out
    this.#dtype = dtype
    this.#kind = kind
    this.#tables = tables
    const total = [...tables.values()].reduce((sum, table) => sum + this.#sizeOf(table), 0)
    this.#progress = startProgress(total, quiet, 0, 'rows')
    this.#forget = onEnd(() => this.#removeFolder())
  }

  /** The element type in which a table is written; uint8 for rows that are quantized. */
  typeOf(table: Table): DType {
    if (this.isQuantized(table)) return 'uint8'
    if (!(table instanceof Tensor)) return this.#dtype ?? 'float32'
    return this.#dtype !== undefined && table.dtype.includes('float') ? this.#dtype : table.dtype
  }

  /** The shape in which a table is written. */
  shapeOf(table: Table): readonly number[] {
    return this.isQuantized(table) ? [table.shape[0], bytesOfRow(this.#kind!, table.shape[1])] : table.shape
  }

  /** Whether the rows of a table become integers with a scale and a bias. */
  isQuantized(table: Table): boolean {
    if (this.#kind === undefined || table.shape.length !== 2 || table.shape[1] === 0) return false
    return !(table instanceof Tensor) || table.dtype.includes('float')
  }

  /** How far a table that was quantized is from what it was. */
  errorOf(table: Table): QuantizedError | null {
    const found = this.#errors.get(table)
    if (found === undefined) return null
    const { max, sum, squares, elements } = found
    return { max, mean: sum / elements, rms: Math.sqrt(squares / elements) }
  }

  #sizeOf(table: Table): number {
    return BYTES[this.typeOf(table)] * this.shapeOf(table).reduce((all, size) => all * size, 1)
  }

  /** Writes tensors to a safetensors, npy or npz file. */
  async write(format: Format, metadata: Readonly<Record<string, string>>): Promise<void> {
    // Digests of saveModel would be those of other bytes.
    const all = [...this.#tables]
    const kept = Object.fromEntries(Object.entries(metadata).filter(([key]) => !key.startsWith('tokenbed')))
    const kind = this.#kind
    for (const [name, table] of all)
      if (kind !== undefined && this.isQuantized(table)) Object.assign(kept, quantizedNote(name, kind, table.shape))
    if (format === 'npz') return saveNpz(this.#out, await this.#converted())
    const streams = all.every(([, { shape }]) => shape.length > 0)
    if (streams) return this.#stream(this.#out, all, format === 'safetensors' ? kept : undefined)
    if (format === 'npy')
      throw new WorkFailed(`${visibleText(all[0][0])} is one number and no table: write a .safetensors file`)
    saveSafetensors(this.#out, await this.#converted(), { metadata: kept })
  }

  /** Writes one table with the names of its rows. */
  async writeWords(format: Format, names: readonly string[] | Tokenizer, escape: boolean | undefined): Promise<void> {
    const [table] = (await this.#converted()).values()
    const vectors = new Vectors(table, names)
    const more = escape === undefined ? {} : { escape }
    saveWord2Vec(this.#out, vectors, { binary: format === 'binary words', header: format !== 'glove', ...more })
  }

  /** All tables as tensors of the wanted type: those that are it already, and mapped files of the others. */
  async #converted(): Promise<Map<string, Tensor>> {
    const result = new Map<string, Tensor>()
    for (const [name, table] of this.#tables) {
      const dtype = this.typeOf(table)
      if (table instanceof Tensor && table.dtype === dtype) result.set(name, table)
      else if (!this.isQuantized(table) && this.#sizeOf(table) <= SMALL)
        result.set(name, (table instanceof Tensor ? table : table.dequantize()).to(dtype))
      else {
        this.#folder ??= mkdtempSync(join(dirname(resolve(this.#out)), '.tokenbed-convert-'))
        const path = join(this.#folder, `${result.size}.safetensors`)
        await this.#stream(path, [['table', table]], {})
        result.set(name, loadSafetensors(path, { map: true }).get('table')!)
      }
    }
    return result
  }

  async #stream(path: string, tables: [string, Table][], metadata: Record<string, string> | undefined): Promise<void> {
    const columns = tables.map(([name, table]) => {
      return [name, { dtype: this.typeOf(table), shape: this.shapeOf(table).slice(1) }] as const
    })
    const writer = new TensorWriter(path, Object.fromEntries(columns), metadata && { metadata })
    try {
      for (const [name, table] of tables) await this.#append(writer, name, table)
      writer.close()
    } catch (error) {
      writer.abort()
      throw error
    }
  }

  async #append(writer: TensorWriter, name: string, table: Table): Promise<void> {
    const dtype = this.typeOf(table)
    const [rows] = table.shape
    const rowBytes = Math.max(1, this.#sizeOf(table) / Math.max(1, rows))
    const most = Math.max(1, Math.floor(BLOCK / rowBytes))
    const rowsOf = reader(table)
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first)
      const block = rowsOf(first, count)
      const wanted = this.isQuantized(table)
        ? this.#quantized(table, block)
        : block.dtype === dtype
          ? block
          : block.to(dtype)
      writer.write(name, wanted)
      if (wanted !== block) wanted.dispose()
      block.dispose()
      this.#rows += count
      this.#bytes += count * rowBytes
      this.#progress.update(this.#rows, this.#bytes)
      await breathe()
    }
  }

  /** Rows as integers, whose difference is added to what is known of their table. */
  #quantized(table: Table, block: Tensor): Tensor {
    const wide = block.dtype === 'float32' ? block : block.to('float32')
    const rows = quantize(wide, this.#kind!)
    try {
      const { max, mean, rms } = rows.error(wide)
      const { size } = wide
      const before = this.#errors.get(table) ?? { max: 0, sum: 0, squares: 0, elements: 0 }
      this.#errors.set(table, {
        max: Math.max(before.max, max),
        sum: before.sum + mean * size,
        squares: before.squares + rms * rms * size,
        elements: before.elements + size,
      })
      return rows.toTensor()
    } finally {
      rows.dispose()
      if (wide !== block) wide.dispose()
    }
  }

  #removeFolder(): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true })
    this.#folder = null
  }

  end(): void {
    this.#progress.stop()
    this.#forget()
    this.#removeFolder()
  }
}
