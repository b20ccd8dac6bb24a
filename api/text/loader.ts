// Batches cut from a text by a sliding window.

import { checkTokenizer, checkWindows, cutBatch, windowsOver, type Batch, type WindowOptions } from './batch.js'
import { Contents } from '../base/contents.js'
import { UsageError } from '../base/errors.js'
import { checkEncoder, openFolder, TokenFolder } from '../files/token-folder.js'
import { call, native } from '../native/native.js'
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
import type { SpecialOptions, Tokenizer } from './tokenizer.js'
import { checkBoolean, checkOptions, checkSize, checkWord, eachOf, isArray, show, isObject } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** One text as a string, or a source that is there as a whole: nothing is waited for. */
export type LoaderSource =
  | string
  | FilesSource
  | { readonly texts: readonly string[] | (Iterable<string> & object) }
  | { readonly pieces: readonly string[] | (Iterable<string> & object) }
  | IdsSource
  | FolderSource
  | BareIds

export interface LoaderOptions extends WindowOptions, SpecialOptions {
  /** What encodes a text; default gpt2. */
  tokenizer?: Tokenizer
  /** Whether windows come in random order, another in every epoch; default true. */
  shuffle?: boolean
  /** What shuffles; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** What happens to bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** Bytes of text that each byte of a `.gz` or `.zst` file may become, beside 16 MB that any may; default 200. */
  maxRatio?: number
}

const WINDOWS = ['batchSize', 'maxLength', 'stride', 'dropLast']
const OPTIONS = [
  'tokenizer',
  ...WINDOWS,
  'shuffle',
  'generator',
  'allowedSpecial',
  'disallowedSpecial',
  'invalidUtf8',
  'maxRatio',
]
const TAKES: readonly Kind[] = ['texts', 'files', 'pieces', 'ids', 'folder']

/**
 * Windows over a text, or over texts or ids end to end: they start at 0, stride, 2 * stride ... below the number of
 * ids - maxLength. The ids are held once, however much windows overlap.
 *
 * A string is a text. All else says what it is, as for `streamIds`: `{ texts }`, `{ files }` (regular files, read here
 * and now), `{ pieces }`, `{ ids }` or `{ folder }`; a typed array and an array of numbers are ids.
 *
 * Of a folder, which `saveTokens` wrote, the ids are mapped and cut out batch by batch: memory holds the order of an
 * epoch, 4 bytes a window, and no ids. Its batches are those of the same ids in memory. A `tokenizer` must be the one
 * that encoded it.
 *
 * @throws UsageError where there are not maxLength + 1 ids, and for a source that does not say what it is, a string that looks
 * like a path among them; FileError, FormatError for a file that cannot be read.
 */
export function createDataLoader(source: LoaderSource, options?: LoaderOptions): DataLoader {
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

const CONTENTS = new Contents<DataLoader>('DataLoader', {
  instead: 'state() has its place, load() goes on from it',
  isCounted: true,
})

/** An epoch of batches for every iteration. Made by `createDataLoader`. */
export class DataLoader implements Iterable<Batch> {
  /** Batches in an epoch. */
  readonly length: number
  readonly #ids: IdList | TokenFolder
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

  private constructor(source: LoaderSource, options?: LoaderOptions) {
    const where = 'createDataLoader'
    const checked = checkOptions(options, OPTIONS, where)
    const windows = checkWindows(checked, where)
    this.#batchSize = windows.batchSize
    this.#maxLength = windows.maxLength
    this.#shuffle = checkBoolean(checked.shuffle ?? true, `${where}: shuffle`)
    this.#generator = checkGenerator(checked.generator, where)
    this.#ids = idsOf(source, checked, where)
    const size = this.#ids instanceof TokenFolder ? this.#ids.info.ids : this.#ids.length
    this.#windows = windowsOver(size, windows)
    const [count, batches] = call(native.windowsCounts(this.#windows))
    this.#count = count
    this.length = batches
    this.#lastIsShort = batches * this.#batchSize > count
  }

  /** What `createDataLoader` makes. @internal */
  static over(source: LoaderSource, options?: LoaderOptions): DataLoader {
    return new DataLoader(source, options)
  }

  /**
   * All ids: of texts as encoded, of an Int32Array or Uint32Array the array itself. Of a folder a copy, made each time
   * that they are asked for, of 4 bytes an id: batches need none.
   */
  get ids(): Uint32Array | Int32Array {
    return this.#ids instanceof TokenFolder ? this.#ids.read() : this.#ids
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
    return cutBatch(this.#windows, numbers, this.#ids, this.#maxLength)
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
      throw new UsageError(
        `${where}: the state of a loader of ${show(windows)} windows, and this one has ${this.#count}`,
      )
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

/** The ids of a source. */
function idsOf(source: unknown, options: Partial<LoaderOptions>, where: string): IdList | TokenFolder {
  const { tokenizer, allowedSpecial, disallowedSpecial, invalidUtf8 = 'throw', maxRatio } = options
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  // Windows are of the text alone: what a tokenizer from a file puts around texts would stand in the first and the
  // last.
  const special = { allowedSpecial, disallowedSpecial, addSpecialTokens: false }
  if (typeof source === 'string') return checkTokenizer(tokenizer, where).encode(checkNoPath(source, where), special)
  const read = readSource(source, TAKES, where)
  if (read.kind === 'ids') {
    if (tokenizer !== undefined) checkTokenizer(tokenizer, where)
    return endToEnd(read.lists)
  }
  if (read.kind === 'folder') {
    const folder = openFolder(read.path, read.verify)
    if (tokenizer !== undefined) checkEncoder(folder.info, checkTokenizer(tokenizer, where), where)
    return folder
  }
  const encoder = checkTokenizer(tokenizer, where)
  if (read.kind === 'files') {
    return call(
      native.textFilesEncode(
        ...encoder.forStream({ allowedSpecial, disallowedSpecial }, where),
        read.paths as string[],
        invalidUtf8 === 'replace',
        maxRatio,
      ),
    )
  }
  const strings = allOf(read.items, read.kind as 'texts' | 'pieces', where)
  return read.kind === 'pieces' ? encoder.encode(strings.join(''), special) : encoder.encodeBatch(strings, special).ids
}

/** A single list is held as it came. */
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

/** All that a source gives, at once. */
function allOf(items: Items, kind: 'texts' | 'pieces', where: string): string[] {
  const string = (item: unknown, i: number) => {
    checkItem(item, kind, i, where)
    return item as string
  }
  if (isArray(items)) return eachOf(items, string)
  if (Symbol.asyncIterator in items)
    throw new UsageError(`${where}: nothing is waited for here: streamBatches takes { ${kind} } that come later`)
  return Array.from(items, string)
}
