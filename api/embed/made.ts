// What an embedder is inside: the mean of a table's rows, or a model of fastText.

import { UsageError } from '../base/errors.js'
import type { QuantizedTable } from '../layers/quantize.js'
import { scopeless } from '../memory/scope.js'
import { call, native } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import type { FastText } from '../vectors/fasttext.js'
import { checkParts, type Semantics } from './parts.js'
import { saveModel2Vec } from './save.js'
import { wordTokenizer } from './words.js'

/** A model of fastText whose vectors of sentences are wanted. */
export class FastTextParts {
  readonly path: string
  readonly #model: FastText

  constructor(path: string, model: FastText) {
    this.path = path
    this.#model = model
  }

  get model(): FastText {
    return this.#model
  }

  /** `value instanceof FastTextParts`, which would throw for a proxy that was revoked. */
  static is(value: unknown): value is FastTextParts {
    return typeof value === 'object' && value !== null && #model in value
  }
}

/** What makes vectors, and what can be asked about it. @internal */
export interface Made {
  readonly dim: number
  readonly semantics: Semantics | 'fasttext'
  readonly normalize: boolean
  readonly maxLength: number | null
  readonly native: ReturnType<typeof native.embedderNew> & object
  /** The rows that are passed to each call; null if the model has its own. */
  readonly rows: Tensor | null
  /** The type of vectors unless told otherwise. */
  readonly element: 'float32' | 'float16'
  tokenizer(): Tokenizer
  table(): Tensor | QuantizedTable
  save(folder: string, where: string): void
}

/** Makes it of parts that a user gave, or of a model. @internal */
export function makeOf(parts: unknown, where: string): Made {
  // Its tensors belong to the embedder, and to no scope that happens to be open.
  return FastTextParts.is(parts) ? ofFastText(parts) : scopeless(() => ofTable(parts, where))
}

function ofTable(parts: unknown, where: string): Made {
  const checked = checkParts(parts, where)
  const { tokenizer, format, weights, mapping, semantics, normalize, maxLength, rows, table } = checked
  const [count, dim] = checked.sizes
  return {
    dim,
    semantics,
    normalize,
    maxLength,
    native: call(
      native.embedderNew(tokenizer.forStream({}, 'TextEmbedder')[0], {
        semantics,
        maxLength: maxLength ?? undefined,
        weights: weights?.operand(),
        mapping: mapping ?? undefined,
        format,
        rows: count,
        dim,
      }),
      [0],
    ),
    rows,
    element: semantics.startsWith('model2vec') && format === 'float16' ? 'float16' : 'float32',
    tokenizer: () => tokenizer,
    table: () => table,
    save: (folder, where) => saveModel2Vec(folder, checked, where),
  }
}

function ofFastText({ path, model }: FastTextParts): Made {
  let tokenizer: Tokenizer | undefined
  return {
    dim: model.dim,
    semantics: 'fasttext',
    normalize: false,
    maxLength: null,
    native: model.embedder(),
    rows: null,
    element: 'float32',
    tokenizer: () => (tokenizer ??= wordTokenizer(model.words, path)),
    table: () => model.vectors.weight,
    save(_, where) {
      throw new UsageError(
        `${where}: ${path} is a model of fastText, whose sub-words a folder of model2vec cannot hold: load it with the semantics 'mean', which are those of its words alone`,
      )
    },
  }
}
