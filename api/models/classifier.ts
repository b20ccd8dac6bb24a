// Predicts the classes of texts with what a classifier has learned.

import { EmbeddingBag } from '../layers/bag.js'
import { UsageError } from '../base/errors.js'
import { scope } from '../memory/scope.js'
import { sameShape, shown } from '../base/shape.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import type { ClassifyOptions, Prediction } from '../vectors/prediction.js'
import { checkOptions, checkSize, checkText, isArray, show, eachOf } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** The parts that a classifier consists of. */
export interface ClassifierParts {
  readonly folder: string
  readonly objective: string
  readonly labels: readonly string[] | null
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly tokenizer: Tokenizer | null
  /** The row of a word; null if it has none. */
  readonly idOf: (word: string) => number | null
}

/** Splits words as the trainer does, at Unicode white space. */
const SPACES = /\p{White_Space}+/u

/** The probabilities of the classes of texts: softmax(mean of the tokens' vectors * output^T), in float32. */
export function classify(
  parts: ClassifierParts,
  texts: readonly string[],
  options: ClassifyOptions | undefined,
  where: string,
): Prediction[][] {
  const { folder, objective, labels, tensors } = parts
  const { topN } = checkOptions(options, ['topN'], where)
  if (!isArray(texts)) throw new UsageError(`${where}: expected a text or an array of texts, not ${show(texts)}`)
  const token = tensors.get('token.weight')!
  const output = tensors.get('output.weight')
  if (labels === null || output === undefined)
    throw new UsageError(
      `${where}: the model in ${folder} has the objective ${objective} and no classes: train one with the objective "classify"`,
    )
  const wanted = [labels.length, token.shape[1]]
  if (!sameShape(output.shape, wanted))
    throw new UsageError(
      `${where}: "output.weight" of ${folder} must have the shape ${shown(wanted)}, a row for each class, not ${shown(output.shape)}`,
    )
  const most = topN === undefined ? labels.length : checkSize(topN, `${where}: topN`)
  const bags = eachOf(texts, (text, i) => idsOf(checkText(text, `${where}: text ${i}`), parts))
  if (bags.length === 0) return []
  const offsets = zeroed(Int32Array, bags.length)
  for (let i = 1; i < bags.length; i++) offsets[i] = offsets[i - 1] + bags[i - 1].length
  const probabilities = scope(() => {
    const bag = EmbeddingBag.fromPretrained(token, { mode: 'mean' })
    const scores = bag.forward(Int32Array.from(bags.flat()), offsets).matmul(output.detach().transpose(0, 1))
    return scores.softmax(1).toArray() as number[][]
  })
  return probabilities.map((row) => {
    const all = row.map((probability, i) => ({ label: labels[i], probability }))
    return all.sort((a, b) => b.probability - a.probability).slice(0, most)
  })
}

/**
 * The tokens of a text that the model has, found as by the trainer. Special tokens and labels in the text count as
 * plain text.
 */
function idsOf(text: string, { tokenizer, idOf }: ClassifierParts): number[] {
  if (tokenizer !== null)
    return Array.from(
      tokenizer.encode(text, { allowedSpecial: new Set(), disallowedSpecial: new Set(), addSpecialTokens: false }),
    )
  // Training saw half a surrogate pair as U+FFFD, which UTF-8 makes of it.
  return text
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .split(SPACES)
    .flatMap((word) => idOf(word) ?? [])
}
