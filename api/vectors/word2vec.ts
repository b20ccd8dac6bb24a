// Words and vectors in the formats of word2vec, which gensim and many other tools read.

import { resolve } from 'node:path'
import { ShapeError, UsageError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import { checkTable } from '../layers/table.js'
import { type Tensor } from '../tensor/tensor.js'
import { vectorsOf } from './loaded-words.js'
import { Vectors } from './vectors.js'
import {
  checkBoolean,
  checkOptions,
  checkPath,
  checkSize,
  checkWord,
  isArray,
  show,
  type FilePath,
} from '../base/validate.js'

export interface SaveWord2VecOptions {
  /** Whether numbers are little-endian f32 rather than text; default false. */
  binary?: boolean
  /**
   * Whether white space in a word is written as `\x20`, `\x0a` ... (and a backslash as `\x5c` if the word itself
   * contains such a sequence); `loadWord2Vec` with `escape` restores the words. Default true for the tokens of a
   * tokenizer, some of which may have white space, and false for words, in which white space is an error then.
   */
  escape?: boolean
  /**
   * Whether the first line says how many words there are and how many numbers each has; default true. Text without it
   * is GloVe's, which `loadGlove` reads; binary files need it.
   */
  header?: boolean
}

export interface LoadWord2VecOptions {
  /** Whether numbers are binary rather than text; by default this is detected. */
  binary?: boolean
  /** The largest number of words to read; default all. */
  limit?: number
  /** What happens with words that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** How many bytes each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default 200. */
  maxRatio?: number
  /** Whether `\x20` and the like in a word stand for white space, as `saveWord2Vec` writes it; default false. */
  escape?: boolean
}

/**
 * Writes words and their vectors in a format of word2vec, which gensim's `KeyedVectors.load_word2vec_format` reads. As
 * text, a number has the fewest digits that are read as the same float32, by NumPy too. The file appears whole or not
 * at all. Tokens of a tokenizer are written as in its vocabulary: `Ġwhale`; white space in them becomes `\x0a`, and an
 * id without a token becomes `<id\x205>`. Every row is written, under a unique name.
 *
 * @throws UsageError for a word that is empty, comes twice, has more than 65,536 bytes, or has white space (which ends
 * a word in these formats) without `escape`; also for vectors of more than 1,048,576 numbers, which readers refuse.
 * ShapeError if there are not as many words as rows; FileError if the file cannot be written.
 */
export function saveWord2Vec(path: FilePath, vectors: Vectors, options?: SaveWord2VecOptions): void
export function saveWord2Vec(
  path: FilePath,
  words: readonly string[],
  vectors: Tensor,
  options?: SaveWord2VecOptions,
): void
export function saveWord2Vec(path: FilePath, ...args: unknown[]): void {
  const where = 'saveWord2Vec'
  const target = resolve(checkPath(path, where))
  const [first, second, third] = args
  const [words, weight, options] =
    first instanceof Vectors ? [first.tokens(), first.weight, second] : [first, second, third]
  const ofTokens = first instanceof Vectors && first.words === null
  const {
    binary = false,
    escape = ofTokens,
    header = true,
  } = checkOptions(options as SaveWord2VecOptions | undefined, ['binary', 'escape', 'header'], where)
  checkBoolean(binary, `${where}: binary`)
  checkBoolean(escape, `${where}: escape`)
  if (!checkBoolean(header, `${where}: header`) && binary)
    throw new UsageError(`${where}: header: false is for text: readers of binary files need the counts`)
  if (!isArray(words))
    throw new UsageError(`${where}: expected Vectors, or an array of words and a tensor, not ${show(first)}`)
  checkWords(words, where)
  const table = checkTable(weight, where).detach().to('float32')
  const [rows, dim] = table.shape
  if (rows !== words.length)
    throw new ShapeError(`${where}: there are ${words.length} words but ${rows} rows: each word needs a row`)
  check(native.saveWord2Vec(target, words, table.operand(), dim, { binary, escape, header }))
}

function checkWords(words: readonly unknown[], where: string): asserts words is string[] {
  const seen = new Set<string>()
  for (let id = 0; id < words.length; id++) {
    const word = words[id]
    if (typeof word !== 'string') throw new UsageError(`${where}: word ${id} must be a string, not ${show(word)}`)
    if (/\p{Surrogate}/u.test(word))
      throw new UsageError(`${where}: word ${id} has a lone surrogate, which UTF-8 cannot encode`)
    if (seen.has(word)) throw new UsageError(`${where}: ${show(word)} appears twice: readers would keep only the first`)
    seen.add(word)
  }
}

/**
 * Loads the words and vectors of a file in a format of word2vec, text or binary, as gensim, word2vec and fastText
 * (`.vec`) write them. A file that ends in `.gz` or `.zst` is decompressed. If a word comes twice, the first one is
 * kept, as in gensim. Text is parsed on all cores, with the numbers that NumPy makes of it.
 *
 * Whether numbers are text or binary is detected from the first 256 KB after the first line. A file that can be text is
 * never read as binary: a binary file of a few bytes, all of which happen to be characters, needs `binary: true`. In
 * text a word may contain spaces: the last numbers of a line, as many as the first line declares, are the vector.
 *
 * @throws FileError if the file cannot be read; FormatError, with the byte, if its contents do not match its first
 * line, or exceed `maxRatio`; also for numbers with a decimal comma, and for a word with spaces that ends in a number,
 * which looks like a line of too many numbers.
 */
export function loadWord2Vec(path: FilePath, options?: LoadWord2VecOptions): Vectors {
  const where = 'loadWord2Vec'
  const full = resolve(checkPath(path, where))
  const {
    binary,
    limit,
    invalidUtf8 = 'throw',
    maxRatio,
    escape = false,
  } = checkOptions(options, ['binary', 'limit', 'invalidUtf8', 'maxRatio', 'escape'], where)
  if (binary !== undefined) checkBoolean(binary, `${where}: binary`)
  if (limit !== undefined) checkSize(limit, `${where}: limit`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  const replaces = checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`) === 'replace'
  checkBoolean(escape, `${where}: escape`)
  return vectorsOf(call(native.loadWord2Vec(full, { binary, limit, replaceInvalid: replaces, maxRatio, escape })))
}
