// Windows that begin anew in each text and cover all of it. The last one of a text is filled up.

import { FormatError, UsageError } from '../base/errors.js'
import { TokenFolder } from '../files/token-folder.js'
import { zeroed } from '../memory/arrays.js'
import { tensor } from '../tensor/create.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Batch } from './batch.js'
import type { IdList } from './source.js'

/** What targets have where nothing follows: `ignoreIndex` of `crossEntropy`. */
const NO_TARGET = -100

/** How windows that are not full are filled up, and whether a batch says where. */
export interface Filling {
  readonly maxLength: number
  readonly paddingId: number
  readonly isMasked: boolean
}

/**
 * A batch of windows, each with the id that follows its last one, if there is one.
 *
 * @throws UsageError for an id beyond int32.
 */
export function batchOfSpans(spans: readonly IdList[], { maxLength, paddingId, isMasked }: Filling): Batch {
  const shape = [spans.length, maxLength]
  const size = spans.length * maxLength
  const inputs = zeroed(Int32Array, size).fill(paddingId)
  const targets = zeroed(Int32Array, size).fill(NO_TARGET)
  const mask = zeroed(Uint8Array, isMasked ? size : 0)
  spans.forEach((span, row) => {
    const at = row * maxLength
    const length = Math.min(maxLength, span.length)
    inputs.set(span.subarray(0, length), at)
    targets.set(span.subarray(1, length + 1), at)
    if (isMasked) mask.fill(1, at, at + length)
  })
  const made: { inputs: Tensor; targets: Tensor; mask?: Tensor } = {
    inputs: tensor(inputs, { shape }),
    targets: tensor(targets, { shape }),
  }
  if (isMasked) {
    const bytes = tensor(mask, { shape })
    made.mask = bytes.to('bool')
    bytes.dispose()
  }
  return made
}

/** The number of windows that cover so many ids. */
const windowsOf = (ids: number, maxLength: number, stride: number) =>
  ids === 0 ? 0 : 1 + Math.ceil(Math.max(0, ids - maxLength) / stride)

/** Windows over texts whose ids stand end to end. */
export class TextWindows {
  /** Number of windows. */
  readonly count: number
  readonly #ends: Float64Array
  /** The number of the first window of each text, and the number of all. */
  readonly #firsts: Float64Array
  readonly #stride: number
  readonly #filling: Filling

  /** @param ends For each text the number of ids up to its end. */
  constructor(ends: Float64Array, stride: number, filling: Filling, where: string) {
    checkCovering(filling.maxLength, stride, where)
    this.#ends = ends
    this.#stride = stride
    this.#filling = filling
    this.#firsts = zeroed(Float64Array, ends.length + 1)
    ends.forEach((end, text) => {
      const ids = end - (text === 0 ? 0 : ends[text - 1])
      this.#firsts[text + 1] = this.#firsts[text] + windowsOf(ids, filling.maxLength, stride)
    })
    this.count = this.#firsts[ends.length]
    if (this.count === 0) throw new UsageError(`${where}: there are no ids: every text is empty`)
    if (this.count >= 2 ** 32)
      throw new UsageError(`${where}: ${this.count} windows are too many: take a larger stride`)
  }

  /** The batch of the windows with these numbers. */
  cut(numbers: Uint32Array, ids: IdList | TokenFolder): Batch {
    const spans = Array.from(numbers, (number) => {
      const text = this.#textOf(number)
      const start = (text === 0 ? 0 : this.#ends[text - 1]) + (number - this.#firsts[text]) * this.#stride
      const end = Math.min(this.#ends[text], start + this.#filling.maxLength + 1)
      return ids instanceof TokenFolder ? ids.read(start, end) : ids.subarray(start, end)
    })
    return batchOfSpans(spans, this.#filling)
  }

  /** The text of a window: the last one whose first window is not after it. */
  #textOf(number: number): number {
    let [low, high] = [0, this.#ends.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#firsts[middle] <= number) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** @throws UsageError where windows would leave ids out. */
export function checkCovering(maxLength: number, stride: number, where: string): void {
  if (stride > maxLength)
    throw new UsageError(
      `${where}: stride ${stride} is more than maxLength ${maxLength}: with perText no id is left out, so it must be at most that`,
    )
}

/** The ends of the documents of a folder. */
export function endsOfDocuments(folder: TokenFolder): Float64Array {
  const { documents, ids, path } = folder.info
  const ends = zeroed(Float64Array, documents)
  for (let document = 0; document < documents; document++) ends[document] = folder.range(document)[1]
  const isInOrder = ends.every((end, i) => end >= (i === 0 ? 0 : ends[i - 1]) && end <= ids)
  if (!isInOrder) throw new FormatError(`${path}: the documents of its index are not in order`, path, 0)
  return ends
}

/** Cuts the ids of one text, which come chunk by chunk, into windows with the id that follows each. */
export class TextCutter {
  readonly #maxLength: number
  readonly #stride: number
  /** The ids from the start of the next window on. */
  #held: Uint32Array = new Uint32Array(0)
  #isBegun = false

  constructor(maxLength: number, stride: number) {
    this.#maxLength = maxLength
    this.#stride = stride
  }

  /** The windows that these ids complete. */
  *push(ids: Uint32Array): Generator<Uint32Array> {
    const all = zeroed(Uint32Array, this.#held.length + ids.length)
    all.set(this.#held)
    all.set(ids, this.#held.length)
    let start = 0
    for (; start + this.#maxLength + 1 <= all.length; start += this.#stride) {
      this.#isBegun = true
      yield all.slice(start, start + this.#maxLength + 1)
    }
    this.#held = all.slice(start)
  }

  /** The windows that the end of the text completes; another text begins. */
  *finish(): Generator<Uint32Array> {
    const [all, maxLength] = [this.#held, this.#maxLength]
    // The ids that the window before this one has.
    const covered = this.#isBegun ? maxLength - this.#stride : 0
    if (all.length > covered) yield all
    this.#held = new Uint32Array(0)
    this.#isBegun = false
  }
}
