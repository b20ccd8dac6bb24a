// How well vectors agree with what people say about words: similarities of pairs, and analogies.

import { pearson, spearman } from './correlation.js'
import { FormatError, UsageError } from '../base/errors.js'
import { readWhole } from '../base/read-file.js'
import type { Steps } from '../base/turns.js'
import { checkBoolean, checkOptions, checkSize, show } from '../base/validate.js'

export interface EvaluationOptions {
  /** Only the first so many tokens count; default 300,000. Words files are mostly sorted by frequency. */
  restrictTo?: number
  /**
   * Whether words are compared in upper case, default true; of several tokens that differ in case alone the first
   * counts.
   */
  caseInsensitive?: boolean
  /**
   * Whether a line with an unknown word counts as a failure (a similarity of 0, an analogy that is wrong); by default
   * it is left out.
   */
  dummy4unknown?: boolean
}

export interface WordPairsOptions extends EvaluationOptions {
  /** What stands between the two words and the number of a line; default a tab. */
  delimiter?: string
}

/** How similarities agree with those that people gave. */
export interface WordPairsEvaluation {
  /** Pearson's correlation coefficient, from -1 to 1. */
  pearson: number
  /** The probability that similarities without a relation give such a coefficient (two-sided). */
  pearsonPValue: number
  /** Spearman's rank correlation coefficient, from -1 to 1. */
  spearman: number
  /** The same probability for Spearman's coefficient. */
  spearmanPValue: number
  /** How many percent of the pairs have an unknown word. */
  oov: number
  /** Number of pairs that were compared. */
  pairs: number
}

/** a is to b as c is to the fourth. */
export type AnalogyWords = [a: string, b: string, c: string, expected: string]

/** The analogies of a section, as they were compared: in upper case, unless `caseInsensitive` is false. */
export interface AnalogySection {
  /** The name of the section; `Total accuracy` for the last, which has all of them. */
  section: string
  correct: AnalogyWords[]
  incorrect: AnalogyWords[]
}

export interface AnalogiesEvaluation {
  /** The part of the analogies that came out right, from 0 to 1; 0 if none was tried. */
  accuracy: number
  /** The sections of the file in their order, and then all of them together. */
  sections: AnalogySection[]
  /** How many percent of the analogies have an unknown word. */
  oov: number
}

/** What an evaluation needs of vectors. @internal */
export interface Evaluated {
  readonly size: number
  textOf(id: number): string | undefined
  similarity(a: number, b: number): number
}

/**
 * For each analogy of three rows the `top` rows among the first `rows` are asked for that complete it best. @internal
 */
export interface Completing {
  readonly analogies: readonly (readonly [number, number, number])[]
  readonly rows: number
  readonly top: number
}

/** The options of an evaluation. @internal */
export const EVALUATION = ['restrictTo', 'caseInsensitive', 'dummy4unknown']

/** How words are compared. */
interface Rules {
  readonly rows: number
  readonly dummies: boolean
  /** A word as it is compared. */
  readonly shaped: (word: string) => string
  /** The rows of words. */
  readonly known: ReadonlyMap<string, number>
}

/** Words that are put in order, or lines that are compared, at a time. */
const PART = 1024

/** Puts the words in order by which an evaluation finds them. @internal */
export function* rulesOf(given: EvaluationOptions | undefined, vectors: Evaluated, where: string): Steps<Rules> {
  const options = checkOptions(given, EVALUATION, where)
  const { restrictTo = 300_000, caseInsensitive = true, dummy4unknown = false } = options
  const rows = Math.min(checkSize(restrictTo, `${where}: restrictTo`), vectors.size)
  const shaped = checkBoolean(caseInsensitive, `${where}: caseInsensitive`)
    ? (word: string) => word.toUpperCase()
    : (word: string) => word
  const known = new Map<string, number>()
  const dummies = checkBoolean(dummy4unknown, `${where}: dummy4unknown`)
  for (let id = 0; id < rows; id++) {
    if (id % PART === 0) yield
    const word = vectors.textOf(id)
    if (word !== undefined && !known.has(shaped(word))) known.set(shaped(word), id)
  }
  return { rows, dummies, shaped, known }
}

/** The lines of a text, and the byte at which each begins. */
function* linesOf(path: string): Generator<{ line: string; offset: number }> {
  const bytes = readWhole(path)
  let start = bytes.length >= 3 && bytes.readUIntBE(0, 3) === 0xefbbbf ? 3 : 0
  while (start < bytes.length) {
    const end = bytes.indexOf(10, start)
    const stop = end < 0 ? bytes.length : end
    yield { line: bytes.toString('utf8', start, stop).replace(/\r$/, ''), offset: start }
    start = stop + 1
  }
}

/** A decimal number, which may have spaces around it. */
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i

/** Compares similarities with those of a file. @internal */
export function* evaluatePairs(
  vectors: Evaluated,
  path: string,
  options: WordPairsOptions | undefined,
  where: string,
): Steps<WordPairsEvaluation> {
  const { delimiter = '\t', ...rest } = checkOptions(options, [...EVALUATION, 'delimiter'], where)
  if (typeof delimiter !== 'string' || delimiter === '')
    throw new UsageError(`${where}: delimiter must be a non-empty string, not ${show(delimiter)}`)
  const { dummies, shaped, known } = yield* rulesOf(rest, vectors, where)
  const [theirs, ours]: [number[], number[]] = [[], []]
  let unknown = 0
  let count = 0
  for (const { line } of linesOf(path)) {
    if (count++ % PART === 0) yield
    if (line.startsWith('#')) continue
    const parts = line.split(delimiter)
    if (parts.length !== 3 || !NUMBER.test(parts[2])) continue
    const [a, b] = [known.get(shaped(parts[0])), known.get(shaped(parts[1]))]
    const isUnknown = a === undefined || b === undefined
    if (isUnknown) unknown++
    if (isUnknown && !dummies) continue
    theirs.push(Number(parts[2]))
    ours.push(isUnknown ? 0 : vectors.similarity(a, b))
  }
  if (theirs.length === 0) {
    const why =
      unknown === 0
        ? `it has no line of two words and a number with ${show(delimiter)} between them: give another delimiter`
        : `each of its ${unknown} pairs has a word that these vectors do not have`
    throw new FormatError(`${path}: nothing can be compared: ${why}`, path, 0)
  }
  const [product, rank] = [pearson(theirs, ours), spearman(theirs, ours)]
  return {
    pearson: product.coefficient,
    pearsonPValue: product.pValue,
    spearman: rank.coefficient,
    spearmanPValue: rank.pValue,
    oov: (unknown / (dummies ? theirs.length : theirs.length + unknown)) * 100,
    pairs: theirs.length,
  }
}

/** The best completions that are looked at: the first of them that is a word of its own is the answer. */
const LOOKED_AT = 5
/** Analogies that are completed in one pass over the table. */
const TOGETHER = 64

/** Completes the analogies of a file: it asks for completions, and takes the rows of each. @internal */
export function* evaluateAnalogies(
  vectors: Evaluated,
  path: string,
  { rows, dummies, shaped, known }: Rules,
): Generator<Completing, AnalogiesEvaluation, number[][]> {
  const sections: AnalogySection[] = []
  let waiting: { words: AnalogyWords; ids: [number, number, number]; isRight: boolean }[] = []
  // Results keep the order of the file, so an analogy that waits holds back those after it.
  let results: { section: AnalogySection; words: AnalogyWords; entry: { isRight: boolean } }[] = []
  const complete = function* (): Generator<Completing, void, number[][]> {
    const found = yield { analogies: waiting.map(({ ids }) => ids), rows, top: LOOKED_AT }
    waiting.forEach((one, i) => (one.isRight = answerOf(found[i], one.words) === one.words[3]))
    for (const { section, words, entry } of results) section[entry.isRight ? 'correct' : 'incorrect'].push(words)
    waiting = []
    results = []
  }
  const answerOf = (ids: readonly number[], [a, b, c]: AnalogyWords) => {
    let answer: string | undefined
    for (const id of ids) {
      const text = vectors.textOf(id)
      answer = text === undefined ? undefined : shaped(text)
      if (answer !== undefined && known.has(answer) && answer !== a && answer !== b && answer !== c) break
    }
    return answer
  }
  let [tried, unknown] = [0, 0]
  for (const { line, offset } of linesOf(path)) {
    if (line.startsWith(': ')) {
      sections.push({ section: line.replace(/^[: ]+/, '').trim(), correct: [], incorrect: [] })
      continue
    }
    const words = line.trim().split(/\s+/).map(shaped)
    if (words.length !== 4) continue
    const section = sections.at(-1)
    if (section === undefined)
      throw new FormatError(
        `${path}: an analogy stands before the first section: put a line such as ": family" before it`,
        path,
        offset,
      )
    tried++
    const analogy = words as AnalogyWords
    const [a, b, c, expected] = analogy.map((word) => known.get(word))
    if (a === undefined || b === undefined || c === undefined || expected === undefined) {
      unknown++
      if (dummies) results.push({ section, words: analogy, entry: { isRight: false } })
      continue
    }
    const entry = { words: analogy, ids: [a, b, c] as [number, number, number], isRight: false }
    results.push({ section, words: analogy, entry })
    if (waiting.push(entry) === TOGETHER) yield* complete()
  }
  yield* complete()
  if (tried === 0)
    throw new FormatError(
      `${path}: it has no analogies, which are lines of four words after a line ": section"`,
      path,
      0,
    )
  const total: AnalogySection = {
    section: 'Total accuracy',
    correct: sections.flatMap(({ correct }) => correct),
    incorrect: sections.flatMap(({ incorrect }) => incorrect),
  }
  const counted = total.correct.length + total.incorrect.length
  return {
    accuracy: counted === 0 ? 0 : total.correct.length / counted,
    sections: [...sections, total],
    oov: (unknown / tried) * 100,
  }
}
