// Texts that are asked for one by one, in calls for many.

import { publishBatch, tokensOf } from '../pipelines/channel.js'
import type { Tensor } from '../tensor/tensor.js'

/** From so many UTF-16 code units on, the work is done on other threads. Less takes some tenths of a millisecond. */
const MUCH = 1 << 14

interface Asked {
  readonly text: string
  readonly resolve: (vector: Float32Array) => void
  readonly reject: (error: unknown) => void
}

/** Collects texts until the event loop turns. @internal */
export class Soon {
  #asked: Asked[] = []
  #batches = 0

  constructor(
    private readonly now: (texts: readonly string[]) => Tensor | Promise<Tensor>,
    private readonly later: (texts: readonly string[]) => Promise<Tensor>,
  ) {}

  ask(text: string): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.#asked.push({ text, resolve, reject }) === 1) setImmediate(() => void this.#answer())
    })
  }

  async #answer(): Promise<void> {
    const asked = this.#asked
    this.#asked = []
    try {
      await this.#together(asked)
    } catch (error) {
      if (asked.length === 1) return asked[0].reject(error)
      // One of the texts is to blame, and the others are not.
      for (const one of asked) {
        try {
          await this.#together([one])
        } catch (error) {
          one.reject(error)
        }
      }
    }
  }

  /** Answers with one call, and publishes what it took. */
  async #together(asked: readonly Asked[]): Promise<void> {
    const begun = performance.now()
    const vectors = await this.#vectors(asked)
    const seconds = (performance.now() - begun) / 1e3
    const tokens = asked.reduce((sum, { text }) => sum + tokensOf(text.length), 0)
    publishBatch({ batch: this.#batches++, texts: asked.length, tokens, bytes: 4 * vectors.size, seconds })
    share(vectors, asked)
  }

  #vectors(asked: readonly Asked[]): Tensor | Promise<Tensor> {
    const texts = asked.map(({ text }) => text)
    const units = texts.reduce((sum, { length }) => sum + length, 0)
    return units < MUCH ? this.now(texts) : this.later(texts)
  }
}

/** Gives everybody a copy of a row. */
function share(vectors: Tensor, asked: readonly Asked[]): void {
  const [, dim] = vectors.shape
  const all = vectors.borrow() as Float32Array
  asked.forEach(({ resolve }, i) => resolve(Float32Array.from(all.subarray(i * dim, (i + 1) * dim))))
  vectors.dispose()
}
