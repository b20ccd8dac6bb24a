// Words and vectors in the formats of word2vec, which gensim and much else read.

import { resolve } from 'node:path'
import { ShapeError, UsageError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import { adopted } from '../tensor/allocate.js'
import { checkTable } from '../layers/table.js'
import { type Tensor } from '../tensor/tensor.js'
import { Vectors } from './vectors.js'
import { checkBoolean, checkOptions, checkPath, checkSize, checkWord, isArray, show } from '../base/validate.js'

export interface SaveWord2VecOptions {
  /** Whether numbers are little endian f32 rather than text; default false. */
  binary?: boolean
  /**
   * Whether white space in a word is written as `\x20`, `\x0a` ... (and a backslash as `\x5c` where the word itself has
   * such a text in it); `loadWord2Vec` with `escape` gives the words back. Default true for the tokens of a tokenizer,
   * of which some may have white space, and false for words: white space in one is an error then.
   */
  escape?: boolean
}

export interface LoadWord2VecOptions {
  /** Whether numbers are binary rather than text; found out where not said. */
  binary?: boolean
  /** Words that are read at most; default all. */
  limit?: number
  /** What happens to words that are no UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** Bytes that each byte of a `.gz` or `.zst` file may become, beside 16 MB that any may; default 200. */
  maxRatio?: number
  /** Whether `\x20` and the like in a word stand for white space, as `saveWord2Vec` writes it; default false. */
  escape?: boolean
}

/**
 * Writes words and their vectors in a format of word2vec, which gensim's `KeyedVectors.load_word2vec_format` reads.
 * Text has the shortest numbers that are read as the same float32. The file appears whole or not at all. Tokens of a
 * tokenizer are written as its vocabulary has them: `Ġwhale`; white space in them as `\x0a`, and an id that is no token
 * as `<id\x205>`. Every row is there, under a name of its own.
 *
 * @throws UsageError for a word that is empty, comes twice, has white space in it, which ends a word in these formats, without
 * `escape`, or has more than 65,536 bytes, and for vectors of more than 1,048,576 numbers, which readers refuse;
 * ShapeError where words and rows are not as many; FileError where it cannot be written.
 */
export function saveWord2Vec(path: string, vectors: Vectors, options?: SaveWord2VecOptions): void
export function saveWord2Vec(
  path: string,
  words: readonly string[],
  vectors: Tensor,
  options?: SaveWord2VecOptions,
): void
export function saveWord2Vec(path: string, ...args: unknown[]): void {
  const where = 'saveWord2Vec'
  const target = resolve(checkPath(path, where))
  const [first, second, third] = args
  const [words, weight, options] =
    first instanceof Vectors ? [first.tokens(), first.weight, second] : [first, second, third]
  const ofTokens = first instanceof Vectors && first.words === null
  const { binary = false, escape = ofTokens } = checkOptions(
    options as SaveWord2VecOptions | undefined,
    ['binary', 'escape'],
    where,
  )
  checkBoolean(binary, `${where}: binary`)
  checkBoolean(escape, `${where}: escape`)
  if (!isArray(words)) throw new UsageError(`${where}: Vectors, or an array of words and a tensor, not ${show(first)}`)
  checkWords(words, where)
  const table = checkTable(weight, where).detach().to('float32')
  const [rows, dim] = table.shape
  if (rows !== words.length)
    throw new ShapeError(`${where}: ${words.length} words and ${rows} rows: every word needs a row`)
  check(native.saveWord2Vec(target, words, table.operand(), dim, binary, escape))
}

function checkWords(words: readonly unknown[], where: string): asserts words is string[] {
  const seen = new Set<string>()
  for (let id = 0; id < words.length; id++) {
    const word = words[id]
    if (typeof word !== 'string') throw new UsageError(`${where}: word ${id} must be a string, not ${show(word)}`)
    if (/\p{Surrogate}/u.test(word))
      throw new UsageError(`${where}: word ${id} has a surrogate that stands alone, which no file of UTF-8 can hold`)
    if (seen.has(word)) throw new UsageError(`${where}: ${show(word)} comes twice: readers keep the first alone`)
    seen.add(word)
  }
}

/**
 * The words and vectors of a file in a format of word2vec, text or binary, as gensim, word2vec and fastText (`.vec`)
 * write them; one that ends in `.gz` or `.zst` is decompressed. Of a word that comes twice the first is kept, as gensim
 * does.
 *
 * Whether numbers are text or binary is found out from the first 256 KB behind the first line. A file that can be text
 * is never read as binary: a binary file of a few bytes, all of which happen to be characters, needs `binary: true`. In
 * text a word may have spaces in it: the last numbers of a line, as many as the first line promises, are the vector.
 *
 * @throws FileError where it cannot be read; FormatError, with the byte, where it is not what its first line says, or becomes
 * more than `maxRatio` allows; also for numbers with a decimal comma, and for a word with spaces that ends in a number,
 * which looks like a line of too many numbers.
 */
export function loadWord2Vec(path: string, options?: LoadWord2VecOptions): Vectors {
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
  const { words, dim, handle } = call(
    native.loadWord2Vec(full, { binary, limit, replaceInvalid: replaces, maxRatio, escape }),
  )
  const table = adopted(handle, 'float32', [words.length, dim])
  return new Vectors(table, words)
}
