// What a TextEmbedder is made of, and the checks of it.

import { checkTable } from '../layers/table.js'
import { facts } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { QuantizedTable } from '../layers/quantize.js'
import { readIds } from '../tensor/ids.js'
import type { IntArray } from '../base/dtype.js'
import type { RowFormat } from '../native/native.js'
import { shown } from '../base/shape.js'
import { Tensor } from '../tensor/tensor.js'
import { Tokenizer } from '../text/tokenizer.js'
import { checkBoolean, checkOptions, checkSize, checkWord, show } from '../base/validate.js'

/** The libraries whose vectors a TextEmbedder makes, and `mean`, which is the mean of all tokens. */
export const SEMANTICS = ['model2vec', 'model2vec@0.9', 'sentence-transformers', 'wordllama', 'mean'] as const

/**
 * Which tokens of a text count:
 *
 * - `model2vec`: from version 0.10 on. A text is cut to `maxLength` times the median length of a token in characters,
 *   then to `maxLength` tokens; unknown tokens are left out of what remains.
 * - `model2vec@0.9`: before that. Unknown tokens are left out first.
 * - `sentence-transformers`: StaticEmbedding. All tokens count, unknown ones too, as far as the file of the tokenizer
 *   does not cut texts itself.
 * - `wordllama`: all tokens count, and an id behind the table names its last row.
 * - `mean`: all tokens count that have a row. Special tokens in a text are plain text.
 */
export type Semantics = (typeof SEMANTICS)[number]

/** What a TextEmbedder is made of. */
export interface TextEmbedderParts {
  tokenizer: Tokenizer
  /**
   * The vectors of tokens, (rows, dim): float32, float16 or bfloat16, whose memory is shared; int8, whose elements are
   * plain numbers; float64, which is copied as float32; or a QuantizedTable.
   */
  table: Tensor | QuantizedTable
  /** A factor for each token, (tokens), of floats; it is copied. */
  weights?: Tensor
  /** The row of each token, (tokens), int32 or int64; it is copied. By default the row of a token has its id. */
  mapping?: Tensor
  /** Whether vectors get length 1 unless told otherwise; default false. */
  normalize?: boolean
  /** The largest number of tokens of a text; default: any number, and 512 for the semantics of model2vec. */
  maxLength?: number | null
  /** Which tokens count; default `mean`. */
  semantics?: Semantics
}

const PARTS = ['tokenizer', 'table', 'weights', 'mapping', 'normalize', 'maxLength', 'semantics']

/** The default of model2vec. */
export const MODEL2VEC_LENGTH = 512

/** Parts that were checked. */
export interface CheckedParts {
  readonly tokenizer: Tokenizer
  /** The rows as a tensor: of floats, or of bytes. */
  readonly rows: Tensor
  /** The layout of the rows; undefined for plain signed bytes. */
  readonly format: RowFormat | undefined
  /** The number of rows and of their elements. */
  readonly sizes: readonly [rows: number, dim: number]
  readonly table: Tensor | QuantizedTable
  readonly weights: Tensor | null
  readonly mapping: IntArray | null
  readonly normalize: boolean
  readonly maxLength: number | null
  readonly semantics: Semantics
}

/** Checks what an embedder is made of. */
export function checkParts(parts: unknown, where: string): CheckedParts {
  const given = checkOptions(parts as TextEmbedderParts, PARTS, where)
  const { tokenizer, table, weights, mapping } = given
  if (!(tokenizer instanceof Tokenizer))
    throw new UsageError(`${where}: tokenizer must be a Tokenizer, not ${show(tokenizer)}`)
  const semantics = checkWord(given.semantics ?? 'mean', SEMANTICS, `${where}: semantics`)
  const isModel2Vec = semantics.startsWith('model2vec')
  const { maxLength = isModel2Vec ? MODEL2VEC_LENGTH : null } = given
  if (maxLength !== null) checkSize(maxLength, `${where}: maxLength`, 0, 2 ** 32)
  return {
    tokenizer,
    ...rowsOf(table, where),
    weights: weights === undefined ? null : factors(weights, `${where}: weights`),
    mapping: mapping === undefined ? null : places(mapping, `${where}: mapping`),
    normalize: checkBoolean(given.normalize ?? false, `${where}: normalize`),
    maxLength,
    semantics,
  }
}

function rowsOf(table: unknown, where: string): Pick<CheckedParts, 'rows' | 'format' | 'sizes' | 'table'> {
  if (table instanceof QuantizedTable)
    return { rows: table.toTensor(), format: table.kind, sizes: [...table.shape] as [number, number], table }
  const isTensor = table instanceof Tensor
  if (isTensor && table.dtype === 'int8') {
    if (table.shape.length !== 2 || table.shape[1] === 0)
      throw new ShapeError(`${where}: a table must have the shape [rows, dim], not ${shown(table.shape)}`)
    return { rows: table.detach(), format: undefined, sizes: [table.shape[0], table.shape[1]], table }
  }
  const isWide = isTensor && table.dtype === 'float64'
  const checked = checkTable(isWide ? table.detach().to('float32') : table, `${where}: table`)
  const [rows, dim] = checked.shape
  return { rows: checked.detach(), format: checked.dtype as RowFormat, sizes: [rows, dim], table: checked }
}

/** A factor for each token, as float32. */
function factors(weights: unknown, where: string): Tensor {
  if (!(weights instanceof Tensor)) throw new UsageError(`${where} must be a tensor, not ${show(weights)}`)
  if (facts(weights.dtype).kind !== 'float') throw new DTypeError(`${where} must be of floats, not ${weights.dtype}`)
  if (weights.shape.length !== 1)
    throw new ShapeError(`${where} must have the shape [tokens], not ${shown(weights.shape)}`)
  return weights.detach().to('float32')
}

/** The row of each token. */
function places(mapping: unknown, where: string): IntArray {
  if (!(mapping instanceof Tensor)) throw new UsageError(`${where} must be a tensor, not ${show(mapping)}`)
  if (mapping.dtype !== 'int32' && mapping.dtype !== 'int64')
    throw new DTypeError(`${where} must be int32 or int64, not ${mapping.dtype}`)
  if (mapping.shape.length !== 1)
    throw new ShapeError(`${where} must have the shape [tokens], not ${shown(mapping.shape)}`)
  return readIds(mapping, undefined, where).array
}
