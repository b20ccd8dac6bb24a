// The evaluations of vectors by files, at once and off the thread or in turns.

import { resolve } from 'node:path'
import { throwIfAborted } from '../base/abortable.js'
import { atOnce, inTurns } from '../base/turns.js'
import { checkOptions, checkPath, type FilePath } from '../base/validate.js'
import { checkSignal } from '../layers/async.js'
import { completed, completedAsync } from './completions.js'
import {
  EVALUATION,
  evaluateAnalogies,
  evaluatePairs,
  rulesOf,
  type AnalogiesEvaluation,
  type Evaluated,
  type EvaluationOptions,
  type WordPairsEvaluation,
  type WordPairsOptions,
} from './evaluate.js'
import type { Rows } from './rows.js'

/** Options of an asynchronous evaluation. */
export type Signalled<O> = O & { signal?: AbortSignal }

/** @internal */
export function wordPairs(vectors: Evaluated, path: FilePath, options?: WordPairsOptions): WordPairsEvaluation {
  const where = 'Vectors.evaluateWordPairs'
  return atOnce(evaluatePairs(vectors, resolve(checkPath(path, where)), options, where))
}

/** @internal */
export async function wordPairsAsync(
  vectors: Evaluated,
  path: FilePath,
  options?: Signalled<WordPairsOptions>,
): Promise<WordPairsEvaluation> {
  const where = 'Vectors.evaluateWordPairsAsync'
  const { signal: given, ...rest } = checkOptions(options, [...EVALUATION, 'delimiter', 'signal'], where)
  const signal = checkSignal(given, where)
  throwIfAborted(signal, where)
  return inTurns(evaluatePairs(vectors, resolve(checkPath(path, where)), rest, where), signal, where)
}

/** @internal */
export function analogies(
  vectors: Evaluated,
  rows: Rows,
  path: FilePath,
  options?: EvaluationOptions,
): AnalogiesEvaluation {
  const where = 'Vectors.evaluateAnalogies'
  const file = resolve(checkPath(path, where))
  return completed(evaluateAnalogies(vectors, file, atOnce(rulesOf(options, vectors, where))), rows)
}

/** @internal */
export async function analogiesAsync(
  vectors: Evaluated,
  rows: Rows,
  path: FilePath,
  options?: Signalled<EvaluationOptions>,
): Promise<AnalogiesEvaluation> {
  const where = 'Vectors.evaluateAnalogiesAsync'
  const { signal: given, ...rest } = checkOptions(options, [...EVALUATION, 'signal'], where)
  const signal = checkSignal(given, where)
  throwIfAborted(signal, where)
  const file = resolve(checkPath(path, where))
  const rules = await inTurns(rulesOf(rest, vectors, where), signal, where)
  return completedAsync(evaluateAnalogies(vectors, file, rules), rows, { signal, where })
}
