// Finds the shortest text on which a file differs from Python's library, with the help of that library.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { Tokenizer } from '../../../index.js'
import { root } from '../../support/golden.js'
import { pathOf } from './digests.js'

const SCRIPT = join(root, 'testdata/golden/tokenizer_files/encode.py')

/** Ids and offsets of a text. */
interface Found {
  ids: number[]
  offsets: [number, number][]
}

function byLibrary(name: string, texts: string[]): Found[] {
  const { status, stdout, stderr } = spawnSync(process.env.TOKENBED_PYTHON ?? 'python3', [SCRIPT, pathOf(name)], {
    input: JSON.stringify(texts),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  if (status !== 0) throw new Error(stderr)
  return (JSON.parse(stdout) as [number[], [number, number][]][]).map(([ids, offsets]) => ({ ids, offsets }))
}

/** The UTF-16 unit at which each character begins, and the end. */
function units(text: string): number[] {
  let at = 0
  return [0, ...Array.from(text, (letter) => (at += letter.length))]
}

function differs(tokenizer: Tokenizer, text: string, theirs: Found, offsets: boolean): boolean {
  if (!offsets) return String(tokenizer.encode(text, { addSpecialTokens: false })) !== String(theirs.ids)
  const { starts, ends } = tokenizer.encodeOffsets(text, { addSpecialTokens: false })
  const at = units(text)
  const expected = theirs.offsets.map(([start, end]) => [at[start], at[end]])
  return String(Array.from(starts, (start, i) => [start, ends[i]])) !== String(expected)
}

/** Texts with one part left out, from halves to single characters. */
function shorter(text: string): string[] {
  const letters = Array.from(text)
  const all: string[] = []
  for (let size = letters.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < letters.length; at += size) {
      all.push(
        letters
          .slice(0, at)
          .concat(letters.slice(at + size))
          .join(''),
      )
    }
    if (all.length > 400) break
  }
  return all
}

/** For each of some texts that differ, a short text that differs. At most `most` are given. */
export function* explain(name: string, texts: string[], offsets: boolean, most: number) {
  const tokenizer = Tokenizer.fromFile(pathOf(name))
  // A lone surrogate becomes U+FFFD.
  const wanted = texts.map((text) => Buffer.from(text).toString())
  const theirs = byLibrary(name, wanted)
  const differing = wanted.filter((text, i) => differs(tokenizer, text, theirs[i], offsets))
  for (let [text] of differing
    .sort((a, b) => a.length - b.length)
    .map((one) => [one])
    .slice(0, most)) {
    for (;;) {
      const tried = shorter(text)
      const results = byLibrary(name, tried)
      const next = tried.find((one, i) => differs(tokenizer, one, results[i], offsets))
      if (next === undefined) break
      text = next
    }
    const [library] = byLibrary(name, [text])
    const ours = tokenizer.encodeOffsets(text, { addSpecialTokens: false })
    const own = { ids: [...ours.ids], offsets: Array.from(ours.starts, (start, i) => [start, ours.ends[i]]) }
    yield { text, library, ours: own, of: differing.length }
  }
}
