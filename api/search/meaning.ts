// Where the meaning of a text changes: minima of the similarity of neighbouring windows of sentences.

import { ShapeError, UsageError } from '../base/errors.js'
import { shown } from '../base/shape.js'
import { show } from '../base/validate.js'
import { Tensor } from '../tensor/tensor.js'
import type { Sentences } from './sentences.js'

/** Whatever makes a vector of each text: a TextEmbedder, or an object of your own. */
export interface EmbedsTexts {
  /** Its tokenizer, which then counts the tokens of chunks. */
  readonly tokenizer?: unknown
  /** (texts, dim), of any float type. */
  embed(texts: readonly string[]): Tensor
  /** The same off the event loop, for `splitTextAsync`; optional. */
  embedAsync?(texts: readonly string[]): Promise<Tensor>
}

/** Sentences in a window on either side of a place. */
const SENTENCES = 3
/** Windows that are embedded together. */
const AT_ONCE = 64

/** The windows of texts to embed, so that they can be embedded now or off the event loop. */
export type Embedding = Generator<readonly string[] | null, Float32Array, Tensor | undefined>

/**
 * For each sentence but the last, the cosine of the windows before and behind its end. The generator gives lists of
 * texts, takes their vectors, and gives null where it may pause.
 */
export function* similarities(text: string, sentences: Sentences, where: string): Embedding {
  while (sentences.findMore()) yield null
  const { ends } = sentences
  const result = new Float32Array(Math.max(ends.length - 1, 0))
  if (result.length === 0) return result
  // Window w begins with sentence w; those before the first sentence are shorter.
  const first = 1 - SENTENCES
  const window = (w: number) => {
    const last = Math.min(w + SENTENCES, ends.length) - 1
    return text.slice(w <= 0 ? 0 : ends[w - 1], ends[last])
  }
  const kept: Float32Array[] = []
  for (let w = first; w < ends.length; w += AT_ONCE) {
    const count = Math.min(AT_ONCE, ends.length - w)
    const texts = Array.from({ length: count }, (_, i) => window(w + i))
    const vectors = rowsOf(yield texts, count, where)
    kept.push(...vectors)
    // The window that ends with sentence i begins with i + 1 - SENTENCES, the one behind it with i + 1.
    const from = w + count - kept.length
    const at = (v: number) => kept[v - from]
    for (let v = Math.max(w, 1); v < w + count; v++) result[v - 1] = cosine(at(v - SENTENCES), at(v))
    kept.splice(0, Math.max(kept.length - SENTENCES, 0))
  }
  return result
}

/** The rows of what an embedder gave, as units' multiples of float32. */
function rowsOf(vectors: unknown, count: number, where: string): Float32Array[] {
  if (!(vectors instanceof Tensor))
    throw new UsageError(`${where}: embedder.embed must return a tensor, not ${show(vectors)}`)
  const { shape } = vectors
  if (shape.length !== 2 || shape[0] !== count)
    throw new ShapeError(
      `${where}: embedder.embed must return a vector for each of ${count} texts, [${count}, dim], not ${shown(shape)}`,
    )
  const wide = vectors.detach().to('float32')
  const all = wide.borrow() as Float32Array
  const rows = Array.from({ length: count }, (_, i) => all.slice(i * shape[1], (i + 1) * shape[1]))
  wide.dispose()
  vectors.dispose()
  return rows
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, left, right] = [0, 0, 0]
  for (let d = 0; d < a.length; d++) {
    dot += a[d] * b[d]
    left += a[d] * a[d]
    right += b[d] * b[d]
  }
  return left > 0 && right > 0 ? dot / Math.sqrt(left * right) : 0
}

/**
 * The sentences after which the meaning changes: similarities lower than both neighbours, and than the mean by more
 * than half a standard deviation.
 */
export function minima(similarities: Float32Array): Uint8Array {
  const count = similarities.length
  const mean = similarities.reduce((sum, x) => sum + x, 0) / Math.max(count, 1)
  const variance = similarities.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(count, 1)
  const least = mean - Math.sqrt(variance) / 2
  return Uint8Array.from(similarities, (x, i) => {
    const [before, after] = [similarities[i - 1] ?? Infinity, similarities[i + 1] ?? Infinity]
    return x < least && x < before && x <= after ? 1 : 0
  })
}
