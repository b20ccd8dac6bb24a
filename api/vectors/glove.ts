// Words and vectors in the text of GloVe.

import { resolve } from 'node:path'
import { call, native } from '../native/native.js'
import { vectorsOf } from './loaded-words.js'
import type { Vectors } from './vectors.js'
import { checkOptions, checkPath, checkSize, checkWord } from '../base/validate.js'

export interface LoadGloveOptions {
  /** The largest number of lines to read; default all. What follows them is not looked at. */
  limit?: number
  /** What happens with words that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** How many bytes each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default 200. */
  maxRatio?: number
}

/**
 * Loads the words and vectors of a text as GloVe writes it: on each line a word and its numbers, with no line before
 * them that counts them. A file that ends in `.gz` or `.zst` is decompressed. Lines are parsed on all cores (or as many
 * as `setNumThreads` says), and memory is that of the table and little more.
 *
 * How many numbers a vector has is what most of the first hundred lines say. The last so many fields of a line are the
 * numbers, and all before them is the word, which may contain spaces (`. . .`). If a word comes twice, the first one is
 * kept. All of this, and every number to the bit, is as in gensim's `load_word2vec_format(path, no_header=True)`, which
 * does not read words with spaces.
 *
 * @throws FileError if the file cannot be read; FormatError, with the byte, for a line that has not as many numbers as
 * the others, or something else for one, and for a file of another kind, which it names: vectors with a first line that
 * counts them are `loadWord2Vec`'s.
 */
export function loadGlove(path: string, options?: LoadGloveOptions): Vectors {
  const where = 'loadGlove'
  const full = resolve(checkPath(path, where))
  const { limit, invalidUtf8 = 'throw', maxRatio } = checkOptions(options, ['limit', 'invalidUtf8', 'maxRatio'], where)
  if (limit !== undefined) checkSize(limit, `${where}: limit`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  const replaces = checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`) === 'replace'
  return vectorsOf(call(native.loadGlove(full, limit, replaces, maxRatio)))
}
