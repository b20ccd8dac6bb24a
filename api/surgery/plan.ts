// A plan of changes to a vocabulary: which rows stay, in which order, and which are added.

import { UsageError } from '../base/errors.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { checkRowSource, idsOf, type Mapping, type NewToken } from './rows.js'
import { checkOptions, checkSize, checkText, isArray, show, eachOf, isObject } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** The changes to a vocabulary. At most one of `keep`, `remove` and `minCount` is given; without them all rows stay. */
export interface VocabularyPlan {
  /** The ids that stay, in their new order; all others are removed. Row i of the result was row `keep[i]`. */
  keep?: ArrayLike<number>
  /** The ids that are removed; the others keep their order. */
  remove?: ArrayLike<number>
  /** Tokens that were seen less often are removed; this needs counts. */
  minCount?: number
  /** Tokens that are added after the others. A number adds that many, each the mean of the rows that stay. */
  add?: number | readonly NewToken[]
  /** The generator that draws new rows; default: the one that `manualSeed` seeds. */
  generator?: Generator
}

/** The most rows that can be added at once, because each is a JavaScript object. */
const MOST_ADDED = 2 ** 24
const PLAN = ['keep', 'remove', 'minCount', 'add', 'generator']

export function readPlan(
  plan: VocabularyPlan,
  size: number,
  words: readonly string[] | undefined,
  counts: ArrayLike<number> | undefined,
  where: string,
): Mapping {
  const { keep, remove, minCount, add = [], generator } = checkOptions(plan, PLAN, where)
  const chosen = Object.entries({ keep, remove, minCount }).filter(([, value]) => value !== undefined)
  if (chosen.length > 1)
    throw new UsageError(`${where}: ${chosen.map(([name]) => name).join(' and ')} exclude each other: give one of them`)
  const kept = keep !== undefined ? idsOf(keep, size, `${where}: keep`) : stays(size, remove, minCount, counts, where)
  const added =
    typeof add === 'number'
      ? Array.from({ length: checkSize(add, `${where}: add`, 0, MOST_ADDED) }, (): NewToken => ({}))
      : listOf(add, where)
  added.forEach((token, i) =>
    checkNew(
      token,
      { size, kept: kept.length, hasWords: words !== undefined, hasCounts: counts !== undefined },
      `${where}: add[${i}]`,
    ),
  )
  if (kept.length + added.length > 2 ** 31 - 1)
    throw new UsageError(`${where}: there must be at most 2^31 - 1 rows, not ${kept.length + added.length}`)
  if (words !== undefined) checkWords(words, kept, added, where)
  const newIds = zeroed(Int32Array, size).fill(-1)
  const oldIds = zeroed(Int32Array, kept.length + added.length).fill(-1)
  oldIds.set(kept)
  kept.forEach((old, id) => (newIds[old] = id))
  return { newIds, oldIds, kept, added, generator: checkGenerator(generator, where) }
}

function stays(
  size: number,
  remove: ArrayLike<number> | undefined,
  minCount: number | undefined,
  counts: ArrayLike<number> | undefined,
  where: string,
): Int32Array {
  const all = Int32Array.from({ length: size }, (_, id) => id)
  if (remove !== undefined) {
    const goes = zeroed(Uint8Array, size)
    for (const id of idsOf(remove, size, `${where}: remove`)) goes[id] = 1
    return all.filter((id) => goes[id] === 0)
  }
  if (minCount === undefined) return all
  checkSize(minCount, `${where}: minCount`)
  if (counts === undefined) throw new UsageError(`${where}: minCount needs counts`)
  return all.filter((id) => !(counts[id] < minCount))
}

function listOf(add: unknown, where: string): NewToken[] {
  if (isArray(add)) {
    return eachOf(add, (token, i) => {
      if (isObject(token)) return token
      throw new UsageError(`${where}: add[${i}] must be { word, count, from }, not ${show(token)}`)
    })
  }
  throw new UsageError(`${where}: add must be an array of new tokens or their number, not ${show(add)}`)
}

function checkNew(
  token: NewToken,
  given: { size: number; kept: number; hasWords: boolean; hasCounts: boolean },
  where: string,
): void {
  const { word, count, from = 'mean' } = checkOptions(token, ['word', 'count', 'from'], where)
  if (given.hasWords !== (word !== undefined))
    throw new UsageError(
      `${where}: ${given.hasWords ? 'the word is missing' : 'word is given, but the vocabulary has no words'}`,
    )
  if (count !== undefined && !given.hasCounts)
    throw new UsageError(`${where}: count is given, but the vocabulary has no counts`)
  if (count !== undefined) checkSize(count, `${where}: count`)
  if (from === 'mean' && given.kept === 0)
    throw new UsageError(`${where}: no rows stay whose mean the new row could be: give the option from`)
  checkRowSource(from, given.size, `${where}: from`)
}

function checkWords(words: readonly string[], kept: Int32Array, added: readonly NewToken[], where: string): void {
  const seen = new Set<string>()
  for (const id of kept) {
    const word = checkText(words[id], `${where}: word ${id}`)
    if (seen.has(word)) throw new UsageError(`${where}: ${show(word)} appears twice`)
    seen.add(word)
  }
  added.forEach(({ word }, i) => {
    if (checkText(word, `${where}: add[${i}].word`) === '') throw new UsageError(`${where}: add[${i}].word is empty`)
    if (seen.has(word!)) throw new UsageError(`${where}: add[${i}]: ${show(word)} is already in the vocabulary`)
    seen.add(word!)
  })
}

/** Rearranges a list that goes with the rows; `fresh` gives the value of each new row. */
export function remapped<T>({ kept, added }: Mapping, list: ArrayLike<T>, fresh: (token: NewToken) => T): T[] {
  return [...Array.from(kept, (old) => list[old]), ...added.map(fresh)]
}
