// The file that embed writes. Windows are looked up a batch at a time and appended.

import { extname } from 'node:path'
import { TensorWriter, zeros, type DType, type Tensor } from '../../index.js'
import type { Tables } from '../options/tables.js'

export interface VectorFileOptions {
  readonly out: string
  readonly tables: Tables
  readonly dim: number
  readonly maxLength: number
  readonly batchSize: number
  readonly dtype: DType
  readonly metadata: Record<string, string> | undefined
}

export class VectorFile {
  readonly #writer: TensorWriter
  readonly #options: VectorFileOptions
  /** Whether the file holds only embeddings. */
  readonly #isBare: boolean
  /** The batch that is being filled, (batchSize, maxLength), and the number of ids in each window that are text. */
  readonly #ids: Int32Array
  readonly #lengths: Int32Array
  #filled = 0
  /** A tensor for the vectors of a full batch, (batchSize, maxLength, dim). */
  #vectors: Tensor | null = null
  /** Number of windows so far. */
  windows = 0

  /**
   * @throws UsageError or DTypeError for a name or an element type that no file can have, FileError for a bad place.
   */
  constructor(options: VectorFileOptions) {
    const { out, dim, maxLength, batchSize, dtype, metadata } = options
    this.#options = options
    this.#isBare = extname(out).toLowerCase() === '.npy'
    this.#ids = new Int32Array(batchSize * maxLength)
    this.#lengths = new Int32Array(batchSize)
    const embeddings = { dtype, shape: [maxLength, dim] }
    const others = {
      ids: { dtype: 'int32', shape: [maxLength] },
      lengths: { dtype: 'int32', shape: [] },
      file_windows: { dtype: 'int32', shape: [2] },
    } as const
    this.#writer = new TensorWriter(out, this.#isBare ? { embeddings } : { embeddings, ...others }, { metadata })
  }

  /** (windows, maxLength, dim) */
  get shape(): [number, number, number] {
    return [this.windows, this.#options.maxLength, this.#options.dim]
  }

  /** Adds a window of 1 to maxLength ids, and returns whether that wrote a batch. */
  add(window: Uint32Array): boolean {
    const { maxLength, batchSize } = this.#options
    const start = this.#filled * maxLength
    this.#ids.set(window, start)
    this.#ids.fill(0, start + window.length, start + maxLength)
    this.#lengths[this.#filled] = window.length
    this.#filled += 1
    this.windows += 1
    if (this.#filled < batchSize) return false
    this.flush()
    return true
  }

  /** Writes the windows of an incomplete batch. */
  flush(): void {
    const { tables, maxLength, dim, batchSize, dtype } = this.#options
    const count = this.#filled
    if (count === 0) return
    this.#filled = 0
    const ids = this.#ids.subarray(0, count * maxLength)
    const lengths = this.#lengths.subarray(0, count)
    const room = () => zeros([count, maxLength, dim])
    const out = count === batchSize ? (this.#vectors ??= room()) : room()
    tables.forward(ids, { shape: [count, maxLength], out })
    lengths.forEach((length, i) => {
      if (length < maxLength) out.data.fill(0 as never, (i * maxLength + length) * dim, (i + 1) * maxLength * dim)
    })
    const cast = out.to(dtype)
    try {
      this.#writer.write('embeddings', cast)
    } finally {
      cast.dispose()
    }
    if (this.#isBare) return
    this.#writer.write('ids', ids).write('lengths', lengths)
  }

  /** Ends a file whose windows began at `first`. */
  endFile(first: number): void {
    if (!this.#isBare) this.#writer.write('file_windows', Int32Array.of(first, this.windows))
  }

  /** Completes the file, which exists from now on. */
  close(): void {
    this.#writer.close()
  }

  abort(): void {
    this.#writer.abort()
  }
}
