// The options of a trainer for reading its corpus.

import type { Tokenizer } from '../text/tokenizer.js'

export interface ReadingOptions {
  /** The tokenizer of the texts. Without one, words are separated by spaces, and each line is a sentence. */
  tokenizer?: Tokenizer
  /** Whether the words of texts become lower case; default false. Only without a tokenizer, and not for `classify`. */
  lowercase?: boolean
  /**
   * A regular expression for the words of texts, in the syntax that Rust and Python share, where `\\w` is a letter of
   * any script: `'\\w+'` gives `whale` of `whale,` and `whale.`. Every match in a run of characters without white
   * space is a word, after `lowercase`; the rest is dropped. Default: the run itself. Only without a tokenizer, and not
   * for `classify`.
   */
  tokenPattern?: string
  /** What happens with bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /**
   * How many bytes of text each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default
   * 200.
   */
  maxRatio?: number
}
