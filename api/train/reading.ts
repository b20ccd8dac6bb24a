// The options of a trainer for reading its corpus.

import type { Tokenizer } from '../text/tokenizer.js'

export interface ReadingOptions {
  /** The tokenizer of the texts. Without one, words are separated by spaces, and each line is a sentence. */
  tokenizer?: Tokenizer
  /** What happens with bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /**
   * How many bytes of text each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default
   * 200.
   */
  maxRatio?: number
}
