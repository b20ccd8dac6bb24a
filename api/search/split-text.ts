// Divides a text into chunks of so many tokens.

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../base/abortable.js'
import { UsageError } from '../base/errors.js'
import { checkOptions, checkSize, checkText, checkWord, isObject, show } from '../base/validate.js'
import { checkSignal } from '../layers/async.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Abortable, EncodeOptions } from '../text/encode-options.js'
import { Tokenizer } from '../text/tokenizer.js'
import { minima, similarities, type EmbedsTexts } from './meaning.js'
import { Sentences, whole } from './sentences.js'

export interface SplitTextOptions {
  /** The largest number of tokens of a chunk. */
  maxTokens: number
  /** Counts the tokens; default: the embedder's tokenizer, if it has one, or else cl100k_base. */
  tokenizer?: Tokenizer
  /** The number of tokens at the end of a chunk with which the next one begins; default 0, below `maxTokens`. */
  overlap?: number
  /**
   * Where chunks end: between tokens, between sentences, or between sentences where the meaning changes. Default:
   * 'meaning' with an embedder, and 'sentence' without.
   */
  by?: 'token' | 'sentence' | 'meaning'
  /** Makes vectors of sentences; needed by 'meaning'. */
  embedder?: EmbedsTexts
}

/** A part of a text. */
export interface TextChunk {
  text: string
  /** The index in the text, in UTF-16 code units, at which the chunk begins. */
  start: number
  /** The index at which it ends: its text is `text.slice(start, end)`. */
  end: number
  /** The number of tokens of its text alone, without those that a tokenizer adds around texts. */
  tokens: number
}

/**
 * Divides a text into chunks of at most `maxTokens` tokens, in the order of the text. Every character is in exactly one
 * chunk, or in more with `overlap`: without it, the texts of the chunks put together are the text. No chunk ends within
 * a pair of surrogates or between CR and LF. An empty text has no chunks.
 *
 * - By 'token', a chunk has as many tokens as it may.
 * - By 'sentence', it ends with the last sentence that it has room for (`Intl.Segmenter`, which counts the space behind
 *   a sentence to it). A sentence with more tokens than that is divided between tokens.
 * - By 'meaning', three sentences before and three behind the end of each sentence are embedded, and their cosines
 *   compared. A chunk ends at the first minimum of the cosine that is clearly below the mean; where there is none
 *   within `maxTokens`, at the end of the sentence with the lowest.
 *
 * With `overlap`, a chunk begins up to so many tokens before the end of the one before it: at the beginning of a
 * sentence if there is one, or else between tokens.
 *
 * Special tokens in the text count as plain text. A character that alone has more than `maxTokens` tokens is a chunk of
 * its own, whose `tokens` says so.
 *
 * @throws UsageError for `maxTokens` of 0, an `overlap` that is not below it, which would never end, and 'meaning'
 * without an embedder; ShapeError if the embedder does not give a vector for each text.
 */
export function splitText(text: string, options: SplitTextOptions): TextChunk[] {
  const where = 'splitText'
  const request = checked(text, checkOptions(options, OPTIONS, where), where)
  const steps = split(request, where)
  let step = steps.next()
  while (!step.done) step = steps.next(step.value === null ? undefined : request.embedder!.embed(step.value))
  return step.value
}

/**
 * `splitText` in turns of some milliseconds, between which the event loop runs; the chunks are the same, and errors
 * come as rejections. Sentences are embedded by `embedder.embedAsync`, if there is one. `signal` ends it at the next
 * turn.
 *
 * @throws The errors of `splitText`; AbortedError if `signal` aborts.
 */
export async function splitTextAsync(text: string, options: SplitTextOptions & Abortable): Promise<TextChunk[]> {
  const where = 'splitTextAsync'
  const { signal: given, ...rest } = checkOptions(options, [...OPTIONS, 'signal'], where)
  const signal = checkSignal(given, where)
  throwIfAborted(signal, where)
  const request = checked(text, rest, where)
  const { embedder } = request
  const steps = split(request, where)
  let step = steps.next()
  let end = performance.now() + TURN
  while (!step.done) {
    let vectors: Tensor | undefined
    if (step.value !== null) {
      // eslint-disable-next-line no-await-in-loop -- the texts are embedded in their order
      vectors = embedder!.embedAsync ? await embedder!.embedAsync(step.value) : embedder!.embed(step.value)
    }
    if (performance.now() > end) {
      await setImmediate()
      end = performance.now() + TURN
    }
    throwIfAborted(signal, where)
    step = steps.next(vectors)
  }
  return step.value
}

const OPTIONS = ['maxTokens', 'tokenizer', 'overlap', 'by', 'embedder']
/** For at most so many milliseconds, splitting keeps other work of the thread waiting. */
const TURN = 5
/** Special tokens are plain text, and nothing is added. */
const PLAIN: EncodeOptions = { allowedSpecial: new Set(), disallowedSpecial: new Set(), addSpecialTokens: false }

interface Request {
  readonly text: string
  readonly maxTokens: number
  readonly tokenizer: Tokenizer
  readonly overlap: number
  readonly by: 'token' | 'sentence' | 'meaning'
  readonly embedder: EmbedsTexts | undefined
}

function checked(text: unknown, options: Partial<SplitTextOptions>, where: string): Request {
  const { overlap = 0, embedder } = options
  const plain = checkText(text, `${where}: the text`)
  const maxTokens = checkSize(options.maxTokens, `${where}: maxTokens`, 1)
  if (checkSize(overlap, `${where}: overlap`) >= maxTokens)
    throw new UsageError(
      `${where}: overlap is ${overlap} and maxTokens ${maxTokens}: with chunks that only repeat the last one this would never end`,
    )
  if (embedder !== undefined && !(isObject(embedder) && typeof embedder.embed === 'function'))
    throw new UsageError(`${where}: embedder must have a method embed(texts), not be ${show(embedder)}`)
  const by = checkWord(
    options.by ?? (embedder === undefined ? 'sentence' : 'meaning'),
    ['token', 'sentence', 'meaning'],
    `${where}: by`,
  )
  if (by === 'meaning' && embedder === undefined)
    throw new UsageError(`${where}: to split by meaning, give an embedder, such as a TextEmbedder`)
  return { text: plain, maxTokens, tokenizer: tokenizerOf(options.tokenizer, embedder, where), overlap, by, embedder }
}

function tokenizerOf(tokenizer: unknown, embedder: EmbedsTexts | undefined, where: string): Tokenizer {
  if (tokenizer instanceof Tokenizer) return tokenizer
  if (tokenizer !== undefined) throw new UsageError(`${where}: tokenizer must be a Tokenizer, not ${show(tokenizer)}`)
  const own = embedder?.tokenizer
  return own instanceof Tokenizer ? own : Tokenizer.load('cl100k_base')
}

/** The steps of splitting: lists of texts to embed, and null where it may pause. */
type Steps = Generator<readonly string[] | null, TextChunk[], Tensor | undefined>

/** What is known of the ends of sentences. */
interface Ends {
  readonly sentences: Sentences
  /** For each sentence but the last, the similarity of what is before and behind its end. */
  readonly similar?: Float32Array
  /** Whether it is a clear minimum. */
  readonly minimum?: Uint8Array
}

function* split(request: Request, where: string): Steps {
  const { text, overlap, by } = request
  const chunks: TextChunk[] = []
  let ends: Ends | null = by === 'token' ? null : { sentences: new Sentences(text, where) }
  if (ends !== null && by === 'meaning') {
    const similar = yield* similarities(text, ends.sentences, where)
    ends = { ...ends, similar, minimum: minima(similar) }
  }
  const reach = new Reach(request)
  // Everything before `done` is in a chunk; with overlap the next one begins before it.
  let [start, done] = [0, 0]
  while (done < text.length) {
    const limit = reach.from(start)
    const end = limit > done ? fitting(request, ends, start, done, limit) : done
    if (end <= done) {
      // The overlap leaves no room for anything new.
      start = done
      continue
    }
    const part = text.slice(start, end)
    chunks.push({ text: part, start, end, tokens: request.tokenizer.count(part, PLAIN) })
    done = end
    start = overlap === 0 || end === text.length ? end : beginning(request, ends, start, end)
    yield null
  }
  return chunks
}

/** How far chunks reach. */
class Reach {
  /** Units of text in a token, by the last chunk. */
  #each = 4

  constructor(private readonly request: Request) {}

  /** The last end of a chunk that begins at `start`, by its tokens alone; at least one character behind it. */
  from(start: number): number {
    const { text, maxTokens, tokenizer } = this.request
    for (let size = Math.ceil(this.#each * maxTokens * 1.25) + 16; ; size *= 2) {
      const stop = whole(text, Math.min(start + size, text.length), start)
      const { starts } = tokenizer.encodeOffsets(text.slice(start, stop), PLAIN)
      if (starts.length > maxTokens) {
        const end = shortened(this.request, start, whole(text, start + starts[maxTokens], start))
        this.#each = (end - start) / maxTokens
        return end
      }
      if (stop === text.length) return stop
    }
  }
}

/** The last end up to `end` with which a chunk has no more tokens than it may; at least one character is in it. */
function shortened({ text, maxTokens, tokenizer }: Request, start: number, end: number): number {
  for (;;) {
    const { starts } = tokenizer.encodeOffsets(text.slice(start, end), PLAIN)
    if (starts.length <= maxTokens) return end
    const shorter = whole(text, Math.min(start + starts[maxTokens], end - 1), start)
    // One character may have more tokens.
    if (shorter >= end) return end
    end = shorter
  }
}

/** Where a chunk ends that begins at `start`, beyond `done` and up to `limit`; `done` if it cannot. */
function fitting(request: Request, ends: Ends | null, start: number, done: number, limit: number): number {
  const { text, maxTokens, tokenizer } = request
  if (ends === null) return limit
  let most = limit
  for (;;) {
    const end = ended(ends, done, most, text.length)
    if (end === null) return limit
    if (tokenizer.count(text.slice(start, end), PLAIN) <= maxTokens) return end
    // The text before a limit may have a token more than within it.
    most = end - 1
  }
}

/** The end of a sentence at which a chunk ends, beyond `done` and up to `limit`, or null if there is none. */
function ended({ sentences, similar, minimum }: Ends, done: number, limit: number, length: number): number | null {
  const [from, to] = [sentences.upTo(done), sentences.upTo(limit)]
  if (to === from) return null
  const { ends } = sentences
  if (similar === undefined || minimum === undefined) return ends[to - 1]
  let lowest = from
  for (let i = from; i < to; i++) {
    if (minimum[i] === 1) return ends[i]
    if (similar[i] < similar[lowest]) lowest = i
  }
  // The rest of the text has room, and nothing divides it.
  return limit === length ? length : ends[lowest]
}

/** Where the chunk behind one from `start` to `end` begins: within its last tokens. */
function beginning({ text, tokenizer, overlap }: Request, ends: Ends | null, start: number, end: number): number {
  const { starts } = tokenizer.encodeOffsets(text.slice(start, end), PLAIN)
  if (starts.length <= 1) return end
  const place = whole(text, start + starts[Math.max(starts.length - overlap, 1)], start)
  if (ends !== null) {
    const { sentences } = ends
    const next = sentences.ends[sentences.upTo(place - 1)]
    if (next !== undefined && next < end) return next
  }
  return Math.min(place, end)
}
