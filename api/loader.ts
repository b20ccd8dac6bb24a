// Batches cut from a text by a sliding window.

import { types } from 'node:util'
import { checkTokenizer, checkWindows, cutBatch, windowsOver, type Batch, type WindowOptions } from './batch.js'
import { Contents } from './contents.js'
import { UsageError } from './errors.js'
import { readIds, type IntArray } from './ids.js'
import { call, native } from './native.js'
import { checkGenerator, defaultGenerator, type Generator } from './random.js'
import { guardReceivers } from './receivers.js'
import type { SpecialOptions, Tokenizer } from './tokenizer.js'
import { checkBoolean, checkOptions, checkSize, isArray, show, isObject } from './validate.js'
import { allocating, zeroed } from './memory.js'

export interface LoaderOptions extends WindowOptions, SpecialOptions {
  /** What encodes a text; default gpt2. */
  tokenizer?: Tokenizer
  /** Whether windows come in random order, another in every epoch; default true. */
  shuffle?: boolean
  /** What shuffles; default: the one that `manualSeed` seeds. */
  generator?: Generator
}

const WINDOWS = ['batchSize', 'maxLength', 'stride', 'dropLast']
const OPTIONS = ['tokenizer', ...WINDOWS, 'shuffle', 'generator', 'allowedSpecial', 'disallowedSpecial']

/**
 * Windows over one text or one array of ids: they start at 0, stride, 2 * stride ... below the number of ids -
 * maxLength. The ids are held once, however much windows overlap.
 *
 * @throws UsageError where there are not maxLength + 1 ids.
 */
export function createDataLoader(source: string | IntArray | number[], options?: LoaderOptions): DataLoader {
  return DataLoader.over(source, options)
}

/** What `DataLoader.state` gives. Generators' states are base64. */
interface State {
  version: 1
  /** Windows of the loader, to tell another loader's state. */
  windows: number
  /** Batches of the epoch that were given. */
  batch: number
  /** The generator before the epoch drew from it; null between epochs. */
  epoch: string | null
  /** The generator now; null where the epoch was the last to draw from it. */
  now: string | null
}

/** An epoch on its way. */
interface Epoch {
  /** The generator before the epoch drew from it. */
  readonly before: Uint8Array
  /** Windows in the order in which they come; null for 0, 1, 2 ... */
  readonly order: Uint32Array | null
  /** The generator after that. */
  readonly after: Uint8Array
  /** The next batch. */
  batch: number
}

const CONTENTS = new Contents<DataLoader>('DataLoader', { instead: 'state() has its place, load() goes on from it', isCounted: true })

/** An epoch of batches for every iteration. Made by `createDataLoader`. */
export class DataLoader implements Iterable<Batch> {
  /** Batches in an epoch. */
  readonly length: number
  /** All ids: of a text as encoded, of an Int32Array or Uint32Array the array itself. */
  readonly ids: Uint32Array | Int32Array
  readonly #windows
  readonly #count: number
  readonly #batchSize: number
  readonly #maxLength: number
  readonly #shuffle: boolean
  readonly #generator: Generator
  readonly #lastIsShort: boolean
  /** The epoch that was begun last and has not ended. */
  #current: Epoch | null = null
  /** Whether the next iteration goes on with it. */
  #resume = false
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(source: string | IntArray | number[], options?: LoaderOptions) {
    const where = 'createDataLoader'
    const checked = checkOptions(options, OPTIONS, where)
    const windows = checkWindows(checked, where)
    this.#batchSize = windows.batchSize
    this.#maxLength = windows.maxLength
    this.#shuffle = checkBoolean(checked.shuffle ?? true, `${where}: shuffle`)
    this.#generator = checkGenerator(checked.generator, where)
    this.ids = idsOf(source, checked, where)
    this.#windows = windowsOver(this.ids.length, windows)
    const [count, batches] = call(native.windowsCounts(this.#windows))
    this.#count = count
    this.length = batches
    this.#lastIsShort = batches * this.#batchSize > count
  }

  /** What `createDataLoader` makes. @internal */
  static over(source: string | IntArray | number[], options?: LoaderOptions): DataLoader {
    return new DataLoader(source, options)
  }

  /** The batches of an epoch: the rest of the one that `load` brought back, else a new one. */
  *[Symbol.iterator](): Iterator<Batch> {
    const epoch = this.#resume && this.#current !== null ? this.#current : this.#begin()
    this.#current = epoch
    this.#resume = false
    while (epoch.batch < this.length) {
      const batch = this.#cut(epoch.order, epoch.batch++)
      // A short batch is where PyTorch's sampler runs dry; full ones leave that to the end of the loop.
      if (epoch.batch === this.length && this.#lastIsShort) this.#finish()
      yield batch
    }
    if (!this.#lastIsShort) this.#finish()
    if (this.#current === epoch) this.#current = null
  }

  #begin(): Epoch {
    const before = this.#generator.getState()
    const order = this.#draw()
    return { before, order, after: this.#generator.getState(), batch: 0 }
  }

  /** Draws what an epoch draws in PyTorch's DataLoader. */
  #draw(): Uint32Array | null {
    if (!this.#shuffle) {
      this.#generator.beginEpochInOrder()
      return null
    }
    const order = zeroed(Uint32Array, this.#count)
    this.#generator.beginEpoch(this.#isOwn, order)
    return order
  }

  get #isOwn(): boolean {
    return this.#generator !== defaultGenerator
  }

  #finish(): void {
    if (this.#shuffle && this.#isOwn) this.#generator.finishEpoch(this.#count)
  }

  #cut(order: Uint32Array | null, batch: number): Batch {
    const start = batch * this.#batchSize
    const rows = Math.min(this.#batchSize, this.#count - start)
    const numbers = order ? order.subarray(start, start + rows) : zeroed(Uint32Array, rows).map((_, i) => start + i)
    return cutBatch(this.#windows, numbers, this.ids, this.#maxLength)
  }

  /**
   * Where the iteration is: a few kilobytes, JSON-safe. A loader made with the same source and options that takes it
   * with `load` goes on with the next batch of the same epoch, and draws later epochs as this one would have.
   */
  state(): object {
    const epoch = this.#current
    const now = this.#generator.getState()
    const unmoved = epoch !== null && Buffer.compare(now, epoch.after) === 0
    const state: State = {
      version: 1,
      windows: this.#count,
      batch: epoch?.batch ?? 0,
      epoch: epoch && toBase64(epoch.before),
      now: unmoved ? null : toBase64(now),
    }
    return state
  }

  /**
   * Takes a `state`: the next iteration goes on where that one was. The generator, be it the default one, is set to
   * where it stood then.
   *
   * @throws UsageError for something else, or the state of a loader with another number of windows; nothing is changed.
   */
  load(state: object): this {
    const { batch, epoch, now } = this.#checkState(state)
    const generator = this.#generator
    const kept = generator.getState()
    try {
      let current: Epoch | null = null
      if (epoch !== null) {
        generator.setState(fromBase64(epoch))
        current = { ...this.#begin(), batch }
      }
      if (now !== null) generator.setState(fromBase64(now))
      this.#current = current
      this.#resume = current !== null
    } catch (error) {
      generator.setState(kept)
      throw error
    }
    return this
  }

  #checkState(state: object): State {
    const where = 'DataLoader.load'
    const { version, windows, batch, epoch, now } = (isObject(state) ? state : {}) as Partial<State>
    const isText = (value: unknown) => value === null || typeof value === 'string'
    if (version !== 1 || !isText(epoch) || !isText(now) || (epoch === null && now === null)) {
      throw new UsageError(`${where}: not a state of a loader: ${show(state)}`)
    }
    if (windows !== this.#count) {
      throw new UsageError(`${where}: the state of a loader of ${show(windows)} windows, and this one has ${this.#count}`)
    }
    if (checkSize(batch, `${where}: batch`) > this.length) {
      throw new UsageError(`${where}: batch ${batch} of an epoch of ${this.length}`)
    }
    return state as State
  }

  static {
    guardReceivers(this, (value) => #windows in value)
    CONTENTS.guard(this, (value) => #windows in value)
  }
}

const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'))

/** The ids of a source, as 32-bit integers below 2^31: batches are int32. */
function idsOf(source: unknown, options: Partial<LoaderOptions>, where: string): Uint32Array | Int32Array {
  const { tokenizer, allowedSpecial, disallowedSpecial } = options
  // Windows are of the text alone: what a tokenizer from a file puts around texts would stand in the first and the last.
  const special = { allowedSpecial, disallowedSpecial, addSpecialTokens: false }
  if (typeof source === 'string') return checkTokenizer(tokenizer, where).encode(source, special)
  if (tokenizer !== undefined) checkTokenizer(tokenizer, where)
  if (!isArray(source) && !ArrayBuffer.isView(source)) {
    throw new UsageError(`${where}: a text, or ids as an integer typed array or an array, not ${show(source)}`)
  }
  const { array } = readIds(source as IntArray | number[], undefined, where)
  const outside = (id: number | bigint) => id < 0 || id >= 2 ** 31
  const bad = Array.prototype.findIndex.call(array, outside)
  if (bad >= 0) throw new UsageError(`${where}: id ${array[bad]} at [${bad}] is not from 0 to 2^31 - 1`)
  if (types.isUint32Array(array) || types.isInt32Array(array)) return array
  return allocating(array.length * 4, () => Int32Array.from(array as ArrayLike<number | bigint> as ArrayLike<number>, Number))
}
