// Batches cut from a text by a sliding window.

import {
  checkTokenizer,
  checkWindows,
  cutBatch,
  WINDOW_OPTIONS,
  windowsOver,
  type Batch,
  type WindowOptions,
} from './batch.js'
import { Contents } from '../base/contents.js'
import { UsageError } from '../base/errors.js'
import { checkEncoder, openFolder, TokenFolder } from '../files/token-folder.js'
import { call, native } from '../native/native.js'
import { untrack } from '../memory/scope.js'
import { tensor } from '../tensor/create.js'
import { multinomial } from '../tensor/draws.js'
import { checkGenerator, defaultGenerator, type Generator } from '../tensor/random.js'
import { guardReceivers } from '../base/receivers.js'
import {
  checkItem,
  checkNoPath,
  readSource,
  type BareIds,
  type FilesSource,
  type FolderSource,
  type IdList,
  type IdsSource,
  type Items,
  type Kind,
} from './source.js'
import type { SpecialOptions } from './encode-options.js'
import { endsOfDocuments, TextWindows } from './text-windows.js'
import type { Tokenizer } from './tokenizer.js'
import {
  checkBoolean,
  checkFunction,
  checkOptions,
  checkSize,
  checkWord,
  eachOf,
  isArray,
  show,
  isObject,
} from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** One text as a string, or a source that is complete: the loader waits for nothing. */
export type LoaderSource =
  | string
  | FilesSource
  | { readonly texts: readonly string[] | (Iterable<string> & object) }
  | { readonly pieces: readonly string[] | (Iterable<string> & object) }
  | IdsSource
  | FolderSource
  | BareIds

export interface LoaderOptions extends WindowOptions, SpecialOptions {
  /** The tokenizer of the texts; default gpt2. */
  tokenizer?: Tokenizer
  /** Whether windows come in random order, a new one in every epoch; default true, without weights and sampler. */
  shuffle?: boolean
  /**
   * How often each window is to come, in proportion: one number for each of `loader.windows`. An epoch is a sample by
   * these weights. `torch.utils.data.WeightedRandomSampler`, whose generator is the loader's.
   */
  weights?: ArrayLike<number>
  /** With `weights`: whether a window may come several times in an epoch; default true. */
  replacement?: boolean
  /** With `weights` or a `sampler`: number of windows in an epoch; default as many as there are. */
  samples?: number
  /**
   * Gives the numbers of an epoch's windows in their order, from 0 to below `windows`. It is called once an epoch with
   * the generator and the number of windows, and must draw from that alone, so that `load` finds the same order.
   * `sampler` of `torch.utils.data.DataLoader`.
   */
  sampler?: (generator: Generator, windows: number) => Iterable<number>
  /** The generator that shuffles; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** What happens with bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /**
   * How many bytes of text each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default
   * 200.
   */
  maxRatio?: number
}

const OPTIONS = [
  'tokenizer',
  ...WINDOW_OPTIONS,
  'shuffle',
  'weights',
  'replacement',
  'samples',
  'sampler',
  'generator',
  'allowedSpecial',
  'disallowedSpecial',
  'invalidUtf8',
  'maxRatio',
]
const TAKES: readonly Kind[] = ['texts', 'files', 'pieces', 'ids', 'folder']

/**
 * Makes windows over a text, or over several texts or lists of ids end to end. Windows start at 0, stride, 2 * stride
 * ... below the number of ids - maxLength. The ids are stored once, however much the windows overlap.
 *
 * A string is a text. Other sources name their kind, as for `streamIds`: `{ texts }`, `{ files }` (regular files, read
 * at the call), `{ pieces }`, `{ ids }` or `{ folder }`; a typed array or an array of numbers is ids.
 *
 * The ids of a folder that `saveTokens` wrote are mapped, and each batch is cut from them: memory holds the order of an
 * epoch, 4 bytes a window, and no ids. The batches equal those of the same ids in memory. A `tokenizer` must be the one
 * that encoded the folder.
 *
 * @throws UsageError for fewer than maxLength + 1 ids, and for a source that does not name its kind, such as a string
 * that looks like a path; FileError, FormatError for a file that cannot be read.
 */
export function createDataLoader(source: LoaderSource, options?: LoaderOptions): DataLoader {
  return DataLoader.over(source, options)
}

/** The value of `DataLoader.state`. States of generators are in base64. */
interface State {
  version: 1
  /** Number of windows of the loader, to recognise the state of another loader. */
  windows: number
  /** Number of batches of the epoch that were given. */
  batch: number
  /** The generator's state before the epoch drew from it; null between epochs. */
  epoch: string | null
  /** The generator's present state; null if the epoch was the last to draw from it. */
  now: string | null
}

/** An epoch that has begun. */
interface Epoch {
  /** The generator's state before the epoch drew from it. */
  readonly before: Uint8Array
  /** The numbers of the windows in the order of the epoch; null for 0, 1, 2 ... */
  readonly order: Uint32Array | null
  /** The generator's state after the epoch drew from it. */
  readonly after: Uint8Array
  /** The number of the next batch. */
  batch: number
}

const CONTENTS = new Contents<DataLoader>('DataLoader', {
  instead: 'save state() and restore it with load()',
  isCounted: true,
})

/** Gives one epoch of batches for every iteration. `createDataLoader` makes one. */
export class DataLoader implements Iterable<Batch> {
  /** Number of batches in an epoch. */
  readonly length: number
  /** Number of windows over the texts. */
  readonly windows: number
  readonly #ids: IdList | TokenFolder
  readonly #windows: ReturnType<typeof windowsOver> | TextWindows
  /** Number of windows in an epoch. */
  readonly #count: number
  readonly #sampler: Sampler | null
  readonly #batchSize: number
  readonly #maxLength: number
  readonly #shuffle: boolean
  readonly #generator: Generator
  readonly #lastIsShort: boolean
  /** The latest epoch, if it has not ended. */
  #current: Epoch | null = null
  /** Whether the next iteration continues that epoch. */
  #resume = false
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(source: LoaderSource, options?: LoaderOptions) {
    const where = 'createDataLoader'
    const checked = checkOptions(options, OPTIONS, where)
    const windows = checkWindows(checked, where)
    this.#batchSize = windows.batchSize
    this.#maxLength = windows.maxLength
    const isSampled = checked.weights !== undefined || checked.sampler !== undefined
    this.#shuffle = checkBoolean(checked.shuffle ?? !isSampled, `${where}: shuffle`)
    this.#generator = checkGenerator(checked.generator, where)
    const { ids, ends } = idsOf(source, checked, windows.perText, where)
    this.#ids = ids
    if (windows.perText) {
      const { maxLength, paddingId } = windows
      this.#windows = new TextWindows(ends!(), windows.stride, { maxLength, paddingId, isMasked: true }, where)
      this.windows = this.#windows.count
    } else {
      const size = ids instanceof TokenFolder ? ids.info.ids : ids.length
      this.#windows = windowsOver(size, windows)
      this.windows = call(native.windowsCounts(this.#windows))[0]
    }
    this.#sampler = samplerOf(checked, this.windows, where)
    this.#count = this.#sampler?.samples ?? this.windows
    const batches = this.#count / this.#batchSize
    this.length = windows.dropLast ? Math.floor(batches) : Math.ceil(batches)
    this.#lastIsShort = this.length * this.#batchSize > this.#count
  }

  /** Makes the loader of `createDataLoader`. @internal */
  static over(source: LoaderSource, options?: LoaderOptions): DataLoader {
    return new DataLoader(source, options)
  }

  /**
   * All ids. Texts give their encoded ids; an Int32Array or Uint32Array is returned itself. A folder gives a copy, 4
   * bytes an id, made at each access; batches do not need it.
   */
  get ids(): Uint32Array | Int32Array {
    return this.#ids instanceof TokenFolder ? this.#ids.read() : this.#ids
  }

  /** The batches of an epoch: the rest of the one that `load` restored, or else a new one. */
  *[Symbol.iterator](): Iterator<Batch> {
    const epoch = this.#resume && this.#current !== null ? this.#current : this.#begin()
    this.#current = epoch
    this.#resume = false
    while (epoch.batch < this.length) {
      const batch = this.#cut(epoch.order, epoch.batch++)
      // As in PyTorch, a short batch ends the epoch at once, because its sampler runs out there; after full batches
      // only the end of the loop does.
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

  /** Makes the draws of an epoch in PyTorch's DataLoader, and returns the order of the windows. */
  #draw(): Uint32Array | null {
    if (this.#sampler !== null) {
      // As in PyTorch, an epoch begins with a draw for its workers, before the sampler draws.
      this.#generator.beginEpochInOrder()
      return this.#sampler.draw(this.#generator)
    }
    if (!this.#shuffle) {
      this.#generator.beginEpochInOrder()
      return null
    }
    const order = zeroed(Uint32Array, this.#count)
    this.#generator.beginEpoch(this.#isOwn, order)
    return order
  }

  get #isOwn(): boolean {
    return this.#generator !== defaultGenerator()
  }

  #finish(): void {
    if (this.#sampler === null && this.#shuffle && this.#isOwn) this.#generator.finishEpoch(this.#count)
  }

  #cut(order: Uint32Array | null, batch: number): Batch {
    const start = batch * this.#batchSize
    const rows = Math.min(this.#batchSize, this.#count - start)
    const numbers = order ? order.subarray(start, start + rows) : zeroed(Uint32Array, rows).map((_, i) => start + i)
    const windows = this.#windows
    if (windows instanceof TextWindows) return windows.cut(numbers, this.#ids)
    return cutBatch(windows, numbers, this.#ids, this.#maxLength)
  }

  /**
   * The position of the iteration, as a few kilobytes of JSON values. A loader with the same source and options that
   * takes it with `load` continues with the next batch of the same epoch, and draws later epochs as this one would
   * have.
   */
  state(): object {
    const epoch = this.#current
    const now = this.#generator.getState()
    const unmoved = epoch !== null && Buffer.compare(now, epoch.after) === 0
    const state: State = {
      version: 1,
      windows: this.windows,
      batch: epoch?.batch ?? 0,
      epoch: epoch && toBase64(epoch.before),
      now: unmoved ? null : toBase64(now),
    }
    return state
  }

  /**
   * Restores a `state`: the next iteration continues where the saved one was. The generator, even the default one, is
   * set to its state at that point.
   *
   * @throws UsageError for another value, or the state of a loader with another number of windows; nothing is changed
   * then.
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
      throw new UsageError(`${where}: expected a state of a loader, not ${show(state)}`)
    }
    if (windows !== this.windows) {
      throw new UsageError(
        `${where}: the state is of a loader of ${show(windows)} windows, but this one has ${this.windows}`,
      )
    }
    if (checkSize(batch, `${where}: batch`) > this.length) {
      throw new UsageError(`${where}: batch ${batch} is beyond the ${this.length} batches of an epoch`)
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

/** The ids of all texts end to end, and what finds the ends of the texts. */
interface Gathered {
  readonly ids: IdList | TokenFolder
  readonly ends?: () => Float64Array
}

/** The ids of a source; those of files are read one by one if their ends are wanted. */
function idsOf(source: unknown, options: Partial<LoaderOptions>, perText: boolean, where: string): Gathered {
  const { tokenizer, allowedSpecial, disallowedSpecial, invalidUtf8 = 'throw', maxRatio } = options
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  // Windows are cut from the text alone: tokens that a tokenizer from a file adds around texts would stand in the first
  // and the last one.
  const special = { allowedSpecial, disallowedSpecial, addSpecialTokens: false }
  const alone = (ids: IdList): Gathered => ({ ids, ends: () => Float64Array.of(ids.length) })
  if (typeof source === 'string')
    return alone(checkTokenizer(tokenizer, where).encode(checkNoPath(source, where), special))
  const read = readSource(source, TAKES, where)
  if (read.kind === 'ids') {
    if (tokenizer !== undefined) checkTokenizer(tokenizer, where)
    return { ids: endToEnd(read.lists), ends: () => endsOf(read.lists) }
  }
  if (read.kind === 'folder') {
    const folder = openFolder(read.path, read.verify)
    if (tokenizer !== undefined) checkEncoder(folder.info, checkTokenizer(tokenizer, where), where)
    return { ids: folder, ends: () => endsOfDocuments(folder) }
  }
  const encoder = checkTokenizer(tokenizer, where)
  if (read.kind === 'files') {
    const encoded = (paths: readonly string[]) =>
      call(
        native.textFilesEncode(
          ...encoder.forStream({ allowedSpecial, disallowedSpecial }, where),
          paths as string[],
          invalidUtf8 === 'replace',
          maxRatio,
        ),
      )
    if (!perText) return { ids: encoded(read.paths) }
    const lists = read.paths.map((path) => encoded([path]))
    return { ids: endToEnd(lists), ends: () => endsOf(lists) }
  }
  const strings = allOf(read.items, read.kind as 'texts' | 'pieces', where)
  if (read.kind === 'pieces') return alone(encoder.encode(strings.join(''), special))
  const { ids, offsets } = encoder.encodeBatch(strings, special)
  return { ids, ends: () => Float64Array.from(offsets.subarray(1)) }
}

function endsOf(lists: readonly IdList[]): Float64Array {
  let end = 0
  return Float64Array.from(lists, ({ length }) => (end += length))
}

/** Draws the windows of an epoch. */
interface Sampler {
  readonly samples: number
  draw(generator: Generator): Uint32Array
}

function samplerOf(options: Partial<LoaderOptions>, windows: number, where: string): Sampler | null {
  const { weights, sampler, replacement, samples = windows, shuffle } = options
  if (weights === undefined && sampler === undefined) {
    const stray = replacement !== undefined ? 'replacement' : options.samples !== undefined ? 'samples' : null
    if (stray !== null)
      throw new UsageError(`${where}: ${stray} is for weights or a sampler: give one, or leave it out`)
    return null
  }
  if (weights !== undefined && sampler !== undefined)
    throw new UsageError(`${where}: weights and a sampler contradict one another: leave one out`)
  if (shuffle === true)
    throw new UsageError(
      `${where}: shuffle and ${weights === undefined ? 'a sampler' : 'weights'} contradict one another: leave shuffle out`,
    )
  checkSize(samples, `${where}: samples`, 1, 2 ** 32 - 1)
  if (sampler !== undefined) {
    checkFunction(sampler, `${where}: sampler`)
    if (replacement !== undefined) throw new UsageError(`${where}: replacement is for weights, not for a sampler`)
    return { samples, draw: (generator) => sampled(sampler(generator, windows), samples, windows, where) }
  }
  checkBoolean(replacement ?? true, `${where}: replacement`)
  const length: unknown = isObject(weights) ? weights.length : undefined
  if (length !== windows)
    throw new UsageError(
      `${where}: weights must have a number for each of ${windows} windows, not ${show(length ?? weights)}`,
    )
  const numbers = eachOf(weights as ArrayLike<number>, (weight, i) => {
    if (typeof weight === 'number' && weight >= 0 && weight !== Infinity) return weight
    throw new UsageError(`${where}: weights[${i}] must be a number of at least 0, not ${show(weight)}`)
  })
  const table = tensor(Float64Array.from(numbers))
  // It belongs to the loader, and to no scope.
  untrack(table)
  const positive = numbers.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0)
  if (positive < (replacement === false ? samples : 1))
    throw new UsageError(
      `${where}: ${positive} weights are more than 0, but ${replacement === false ? `an epoch has ${samples} windows, each once` : 'one must be'}`,
    )
  const draw = (generator: Generator) => {
    const drawn = multinomial(table, samples, { replacement: replacement ?? true, generator })
    const order = Uint32Array.from(drawn.data as Int32Array)
    drawn.dispose()
    return order
  }
  return { samples, draw }
}

/** The numbers that a sampler gave. */
function sampled(numbers: unknown, samples: number, windows: number, where: string): Uint32Array {
  if (!isObject(numbers) || !(Symbol.iterator in numbers))
    throw new UsageError(`${where}: sampler must give the numbers of windows in an iterable, not ${show(numbers)}`)
  const order = zeroed(Uint32Array, samples)
  let count = 0
  for (const number of numbers as Iterable<unknown>) {
    if (count === samples) break
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= windows)
      throw new UsageError(
        `${where}: sampler must give whole numbers from 0 to below ${windows}, not ${show(number)} at place ${count}`,
      )
    order[count++] = number
  }
  if (count < samples)
    throw new UsageError(
      `${where}: sampler gave ${count} windows for an epoch of ${samples}: give more, or say it with samples`,
    )
  return order
}

/** A single list is kept as it is, without a copy. */
function endToEnd(lists: readonly IdList[]): IdList {
  if (lists.length === 1) return lists[0]
  const all = zeroed(
    Int32Array,
    lists.reduce((size, list) => size + list.length, 0),
  )
  let at = 0
  for (const list of lists) {
    all.set(list, at)
    at += list.length
  }
  return all
}

/** Reads all items of a source at once. */
function allOf(items: Items, kind: 'texts' | 'pieces', where: string): string[] {
  const string = (item: unknown, i: number) => {
    checkItem(item, kind, i, where)
    return item as string
  }
  if (isArray(items)) return eachOf(items, string)
  if (Symbol.asyncIterator in items)
    throw new UsageError(`${where}: ${kind} from an async iterable are not supported here: use streamBatches`)
  return Array.from(items, string)
}
