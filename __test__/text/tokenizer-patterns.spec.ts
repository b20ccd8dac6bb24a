// Patterns of a tokenizer.json, compared with the matches of Oniguruma, the library's own engine.

import test from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Tokenizer } from '../../index.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()

/**
 * A pattern, how it splits, and for each text the result of replacing matches by a bar, and the pieces after splitting.
 */
type Case = [
  pattern: string,
  behavior: string,
  invert: boolean,
  rows: [text: string, replaced: string, pieces: string[]][],
]

const golden = gunzipSync(readFileSync(join(root, 'testdata/golden/patterns/patterns.json.gz'))).toString()
const { cases } = JSON.parse(golden) as { cases: Case[] }
/** Patterns that occur in practice. Rust compares thousands more. */
const PEOPLE = cases.slice(0, 40)

const pieces = (type: string, steps: object[]) => ({ type: 'Sequence', [type]: steps })
/** A tokenizer of single bytes, so that decoding shows what a text became. */
function tokenizer(name: string, parts: object): Tokenizer {
  const bytes = JSON.parse(readFileSync(join(root, 'testdata/golden/hf/byte-level.json'), 'utf8'))
  const path = join(folder, `${name}.json`)
  writeFileSync(path, JSON.stringify({ ...bytes, ...parts }))
  return Tokenizer.fromFile(path)
}
const byteLevel = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: false }
const camel = (behavior: string) => behavior.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())
const bytesAlone = { ...byteLevel, add_prefix_space: false }

test('patterns on which engines disagree split and replace as in the library', (t) => {
  let [same, refused] = [0, 0]
  for (const [i, [source, behavior, invert, rows]] of PEOPLE.entries()) {
    if (rows.length === 0) continue
    const pattern = { Regex: source }
    try {
      const split = { type: 'Split', pattern, behavior: camel(behavior), invert }
      const cut = tokenizer(`cut-${i}`, { pre_tokenizer: pieces('pretokenizers', [split, byteLevel]) })
      const replace = { type: 'Replace', pattern, content: '|' }
      const replaced = tokenizer(`replaced-${i}`, { normalizer: replace, pre_tokenizer: bytesAlone })
      const decoded = tokenizer(`decoded-${i}`, {
        pre_tokenizer: bytesAlone,
        decoder: pieces('decoders', [bytesAlone, replace]),
      })
      for (const [text, bars, cuts] of rows) {
        const spaced = cuts.map((piece) => (piece.startsWith(' ') ? piece : ` ${piece}`)).join('')
        t.is(cut.decode(cut.encode(text)), spaced, `${source} in ${JSON.stringify(text)}`)
        t.is(replaced.decode(replaced.encode(text)), bars, `${source} in ${JSON.stringify(text)}`)
        t.is(decoded.decode(decoded.encode(text)), bars, `${source} in decoded ${JSON.stringify(text)}`)
        same++
      }
    } catch (error) {
      // The result is never another text: a pattern that cannot get the library's meaning is refused. The library
      // itself fails where a pattern puts something before a text whose characters become bytes.
      t.regex(String(error), /FormatError.*(the pattern .* cannot be used: at its character \d+|index out of bounds)/s)
      refused++
    }
  }
  t.true(same > 40 && refused <= 6, `${same} the same, ${refused} refused`)
})

test('the five patterns that were once wrong are right', (t) => {
  const cut = (pattern: string, text: string, behavior = 'Isolated', invert = false) => {
    const split = { type: 'Split', pattern: { Regex: pattern }, behavior, invert }
    const it = tokenizer('one', { pre_tokenizer: pieces('pretokenizers', [split, byteLevel]) })
    return it.decode(it.encode(text)).slice(1).split(' ')
  }
  t.deepEqual(cut(String.raw`\w+|[^\w\s]+`, 'a\u200db'), ['a', '\u200d', 'b'])
  t.deepEqual(cut(String.raw`\w+`, '½', 'Removed', true), ['½'])
  t.deepEqual(cut(String.raw`[^\S\n]+|$`, 'a\n'), ['a', '\n'])
  t.deepEqual(cut('[[:punct:]]', 'a…b'), ['a', '…', 'b'])
  t.deepEqual(cut('(?i)ss', 'aßb'), ['a', 'ß', 'b'])
  t.deepEqual(cut(String.raw`\X`, 'e\u0301x🇩🇪🇫🇷'), ['e\u0301', 'x', '🇩🇪', '🇫🇷'])
  t.deepEqual(cut(String.raw`\R`, 'a\r\n\nb'), ['a', '\r\n', '\n', 'b'])
})

test('an unsupported pattern is an error with the feature and its place', (t) => {
  const split = (pattern: string) => ({
    pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
  })
  for (const [pattern, place, what] of [
    ['ab(?~c)', 2, 'absent'],
    [String.raw`a\K`, 1, '\\K'],
    [String.raw`\p{InThai}`, 0, 'is a block'],
    ['(?:a*b*)*', 8, 'may be empty'],
    ['(?s).', 0, 'not a group or option that Oniguruma knows'],
    ['a(', 1, 'without an end'],
  ] as const) {
    const error = t.throws(() => tokenizer('refused', split(pattern)))
    t.regex(String(error), /pre_tokenizer: the pattern/)
    t.true(String(error).includes(`at its character ${place}:`) && String(error).includes(what), String(error))
  }
  const file = readFileSync(join(folder, 'refused.json'), 'utf8')
  const error = refuses(t, () => Tokenizer.fromFile(join(folder, 'refused.json')), 'FORMAT', '"a("')
  t.is(error.offset, file.indexOf('"a("'))
})
