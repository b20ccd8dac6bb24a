// Where sentences end.

import { UsageError } from '../base/errors.js'

/** UTF-16 code units that are looked at together, so that no step takes long. */
const WINDOW = 1 << 14
/** A sentence without an end in so many units is cut there, so that time stays linear. */
const LONGEST = 1 << 18
/** Sentences at the end of a window that are looked at again with what follows, which may change them. */
const UNSURE = 2

/**
 * The ends of sentences in a text, as `Intl.Segmenter` finds them, in ascending order; the last is the text's. They are
 * found as far as they are asked for.
 */
export class Sentences {
  readonly ends: number[] = []
  readonly #text: string
  readonly #segmenter: Intl.Segmenter

  constructor(text: string, where: string) {
    if (typeof Intl.Segmenter !== 'function')
      throw new UsageError(`${where}: this runtime has no Intl.Segmenter to find sentences with: split by 'token'`)
    this.#text = text
    // The language is fixed, so that results do not depend on the machine's.
    this.#segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })
  }

  /** The end of the last sentence that is known. */
  get #known(): number {
    return this.ends.at(-1) ?? 0
  }

  /** Finds some more ends. Returns whether any are left to find. */
  findMore(): boolean {
    const start = this.#known
    for (let size = WINDOW; start < this.#text.length; size *= 2) {
      const end = whole(this.#text, Math.min(start + size, this.#text.length), start)
      const found: number[] = []
      for (const { index, segment } of this.#segmenter.segment(this.#text.slice(start, end)))
        found.push(start + index + segment.length)
      const sure = end === this.#text.length ? found : found.slice(0, -UNSURE)
      if (sure.length === 0 && size < LONGEST) continue
      this.ends.push(...(sure.length > 0 ? sure : found))
      break
    }
    return this.#known < this.#text.length
  }

  /** The number of ends up to `place`, finding more if necessary. */
  upTo(place: number): number {
    while (this.#known < place && this.findMore());
    let [low, high] = [0, this.ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.ends[middle] <= place) low = middle + 1
      else high = middle
    }
    return low
  }
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000

/** Whether a text may be cut at a place: not within a pair of surrogates, nor between CR and LF. */
function mayCut(text: string, place: number): boolean {
  if (place <= 0 || place >= text.length) return true
  const [before, after] = [text.charCodeAt(place - 1), text.charCodeAt(place)]
  return !(isHigh(before) && isLow(after)) && !(before === 13 && after === 10)
}

/** The last place up to `place` at which a text may be cut; the first behind it if none is beyond `least`. */
export function whole(text: string, place: number, least: number): number {
  let cut = Math.max(place, least + 1)
  while (cut > least && !mayCut(text, cut)) cut--
  if (cut > least) return cut
  cut = least + 1
  while (!mayCut(text, cut)) cut++
  return cut
}
