// Texts that are cut into words already.

import { UsageError } from '../base/errors.js'
import { checkBoolean, checkText, eachOf, isArray, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import type { LocatedIds, PretokenizedOptions } from './encode-options.js'

/** Texts, or with `pretokenized` the words of each. */
export type Texts = readonly string[] | readonly (readonly string[])[]

/** Whether texts are arrays of their words. @internal */
export function isPretokenized({ pretokenized = false }: PretokenizedOptions, where: string): boolean {
  return checkBoolean(pretokenized, `${where}: pretokenized`)
}

/** @internal */
export function checkTexts(texts: unknown, where: string): void {
  if (!isArray(texts)) throw new UsageError(`${where}: texts must be an array of strings, not ${show(texts)}`)
}

/** All texts; or all words of all texts, and how many each text has. @internal */
export function textList(texts: Texts, cut: boolean, where: string): { texts: string[]; words: number[] | undefined } {
  if (!cut) {
    // `forEach` would skip the holes of an array.
    for (let i = 0; i < texts.length; i++) checkText(texts[i], `${where}: text ${i}`)
    return { texts: texts as string[], words: undefined }
  }
  const all: string[] = []
  const words = eachOf(texts, (text, i) => {
    if (!isArray(text))
      throw new UsageError(
        `${where}: text ${i} must be an array of words, since pretokenized is true, not ${show(text)}`,
      )
    for (let j = 0; j < text.length; j++) all.push(checkText(text[j], `${where}: word ${j} of text ${i}`))
    return text.length
  })
  return { texts: all, words }
}

/** The ids of words, each encoded alone, and what is around them. @internal */
export function atWords(words: readonly LocatedIds[], before: readonly number[], after: readonly number[]): LocatedIds {
  const count = words.reduce((sum, { ids }) => sum + ids.length, before.length + after.length)
  const all = {
    ids: zeroed(Uint32Array, count),
    starts: zeroed(Uint32Array, count),
    ends: zeroed(Uint32Array, count),
    wordIds: zeroed(Int32Array, count).fill(-1),
  }
  all.ids.set(before)
  let at = before.length
  words.forEach(({ ids, starts, ends }, word) => {
    all.ids.set(ids, at)
    all.starts.set(starts, at)
    all.ends.set(ends, at)
    all.wordIds.fill(word, at, at + ids.length)
    at += ids.length
  })
  all.ids.set(after, at)
  return all
}
