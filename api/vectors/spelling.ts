// Finds words with a similar spelling, for errors that suggest what was meant.

/** The most words that a hint has. */
const MOST = 3
/** A longer text is not a mistyped word. */
const LONGEST = 64
/** The most letters of all compared words together, which take some 30 ms. */
const MOST_LETTERS = 5_000_000

/**
 * The words of a vocabulary with the nearest spelling. They differ only in case, or by the fewest letters that are
 * inserted, deleted, replaced or swapped with their neighbour (optimal string alignment), at most a third of the word.
 * Equally near words keep the order of the list, in which the most frequent usually come first. Only the first 400,000
 * or so words of a very large vocabulary are compared.
 */
export function nearestSpellings(text: string, words: readonly string[]): string[] {
  const folded = text.toLowerCase()
  if (text === '' || Math.max(text.length, folded.length) > LONGEST) return []
  const pattern = new Pattern(folded)
  const found: { word: string; distance: number }[] = []
  let worst = Math.ceil(text.length / 3)
  let letters = 0
  for (const word of words) {
    if (Math.abs(word.length - folded.length) > worst) continue
    letters += word.length
    if (letters > MOST_LETTERS) break
    // A difference in case counts less than any letter.
    const distance = pattern.distance(word, worst) || 0.5
    if (distance > worst) continue
    let at = found.length
    while (at > 0 && found[at - 1].distance > distance) at--
    if (at === MOST) continue
    found.splice(at, 0, { word, distance })
    if (found.length > MOST) found.pop()
    if (found.length === MOST) worst = found[MOST - 1].distance
  }
  return found.map(({ word }) => word)
}

/** The two cases of a letter, such as `Ä` and `ä`; only the letter itself if its other case has several letters. */
function bothCases(letter: string): string[] {
  return [letter, letter.toUpperCase()].filter((one) => one.length === 1)
}

/**
 * A text of 1 to 64 letters to compare words with. The table of edit distances is computed column by column; the
 * differences within a column are bits of two 32-bit integers (Hyyrö 2003, "A bit-vector algorithm for computing
 * Levenshtein and Damerau edit distances").
 */
class Pattern {
  readonly #length: number
  /** For each letter, its positions among the first and the last 32 letters, as bits. */
  readonly #low = new Int32Array(0x10000)
  readonly #high = new Int32Array(0x10000)

  constructor(folded: string) {
    this.#length = folded.length
    for (let i = 0; i < folded.length; i++) {
      const places = i < 32 ? this.#low : this.#high
      for (const letter of bothCases(folded[i])) places[letter.charCodeAt(0)] |= 1 << (i % 32)
    }
  }

  /** Number of edits between the text and a word, without regard to case; Infinity if it exceeds the limit. */
  distance(word: string, limit: number): number {
    return this.#length <= 32 ? this.#short(word, limit) : this.#long(word, limit)
  }

  // Names are those of the paper: `vp` and `vn` mark where a column rises or falls from one row to the next, `hp` and
  // `hn` where a row does so from one column to the next, and `d0` where a diagonal stays the same.

  #short(word: string, limit: number): number {
    const last = 1 << (this.#length - 1)
    let [vp, vn, d0, before, score] = [-1, 0, 0, 0, this.#length]
    for (let j = 0; j < word.length; j++) {
      const at = this.#low[word.charCodeAt(j)]
      d0 = (((~d0 & at) << 1) & before) | ((((at & vp) + vp) | 0) ^ vp) | at | vn | 0
      let hp = vn | ~(d0 | vp)
      let hn = d0 & vp
      if (hp & last) score++
      else if (hn & last) score--
      // Each remaining letter lowers the distance by at most one.
      if (score - (word.length - 1 - j) > limit) return Infinity
      hp = (hp << 1) | 1
      hn <<= 1
      vp = hn | ~(d0 | hp)
      vn = hp & d0
      before = at
    }
    return score
  }

  /** The same for texts of more than 32 letters, over 64 bits. */
  #long(word: string, limit: number): number {
    const last = 1 << (this.#length - 33)
    let [vp, vn, d0, before, score] = [-1, 0, 0, 0, this.#length]
    let [vpHigh, vnHigh, d0High, beforeHigh] = [-1, 0, 0, 0]
    for (let j = 0; j < word.length; j++) {
      const letter = word.charCodeAt(j)
      const [at, atHigh] = [this.#low[letter], this.#high[letter]]
      const [swap, swapHigh] = [~d0 & at, ~d0High & atHigh]
      const sum = ((at & vp) >>> 0) + (vp >>> 0)
      const sumHigh = ((atHigh & vpHigh) + vpHigh + (sum > 0xffffffff ? 1 : 0)) | 0
      d0 = ((swap << 1) & before) | ((sum | 0) ^ vp) | at | vn
      d0High = (((swapHigh << 1) | (swap >>> 31)) & beforeHigh) | (sumHigh ^ vpHigh) | atHigh | vnHigh
      let [hp, hpHigh] = [vn | ~(d0 | vp), vnHigh | ~(d0High | vpHigh)]
      let [hn, hnHigh] = [d0 & vp, d0High & vpHigh]
      if (hpHigh & last) score++
      else if (hnHigh & last) score--
      if (score - (word.length - 1 - j) > limit) return Infinity
      hpHigh = (hpHigh << 1) | (hp >>> 31)
      hp = (hp << 1) | 1
      hnHigh = (hnHigh << 1) | (hn >>> 31)
      hn <<= 1
      vp = hn | ~(d0 | hp)
      vpHigh = hnHigh | ~(d0High | hpHigh)
      vn = hp & d0
      vnHigh = hpHigh & d0High
      before = at
      beforeHigh = atHigh
    }
    return score
  }
}
