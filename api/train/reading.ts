// Options of a trainer that say how its corpus is read.

import type { Tokenizer } from '../text/tokenizer.js'

export interface ReadingOptions {
  /** What gives ids to text; without one, words are what stands between spaces, and a line is a sentence. */
  tokenizer?: Tokenizer
  /** What happens to bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** Bytes of text that each byte of a `.gz` or `.zst` file may become, beside 16 MB that any may; default 200. */
  maxRatio?: number
}
