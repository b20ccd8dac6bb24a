import test from 'ava'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer, type EncodeOptions, type LocatedIds } from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'

interface Cases {
  texts: string[]
  files: Record<string, { file: string; changes: Parts; places: { framed: number[]; bare?: number[] }[] }>
  /** Where the tokens of each text begin. */
  encodings: Record<'r50k_base' | 'cl100k_base' | 'o200k_base', number[][]>
}
interface Parts extends Record<string, unknown> {
  added_tokens?: { id: number }[]
}
interface File extends Parts {
  added_tokens: { id: number }[]
  model: { vocab: Record<string, number> | unknown[] }
}

const { texts, files, encodings } = readGolden<Cases>('offsets/cases.json')
const BARE = { addSpecialTokens: false }

const folder = join(tmpdir(), `tokenbed-offsets-${process.pid}`)
mkdirSync(folder, { recursive: true })
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

/** The tokenizer of a file with other parts, made as `make.py` makes it. */
function changed(name: string, { added_tokens: added = [], ...parts }: Parts): Tokenizer {
  const file = JSON.parse(readFileSync(join(root, `testdata/golden/hf/${name}.json`), 'utf8')) as File
  const { vocab } = file.model
  const size = Array.isArray(vocab) ? vocab.length : Math.max(...Object.values(vocab)) + 1
  const added_tokens = [...file.added_tokens, ...added.map((token) => ({ ...token, id: token.id + size }))]
  const path = join(folder, 'tokenizer.json')
  writeFileSync(path, JSON.stringify({ ...file, ...parts, added_tokens }))
  return Tokenizer.fromFile(path)
}

/** The text with U+FFFD for each lone surrogate. */
const wellFormed = (text: string) => Buffer.from(text).toString()

const placesOf = ({ starts, ends }: LocatedIds) => [...starts].flatMap((start, i) => [start, ends[i]])

for (const [name, { file, changes, places }] of Object.entries(files)) {
  test(`${name}: tokens stand where the library says`, (t) => {
    const tokenizer = changed(file, changes)
    t.is(places.length, texts.length)
    for (const [i, text] of texts.entries()) {
      const { framed, bare = framed } = places[i]
      const said = JSON.stringify(text)
      t.deepEqual(placesOf(tokenizer.encodeOffsets(text)), framed, said)
      t.deepEqual(placesOf(tokenizer.encodeOffsets(text, BARE)), bare, said)
      t.deepEqual(tokenizer.encodeOffsets(text).ids, tokenizer.encode(text), said)
    }
  })
}

for (const name of ['r50k_base', 'cl100k_base', 'o200k_base'] as const) {
  test(`${name}: tokens begin where tiktoken says, and hold every character that they have a byte of`, (t) => {
    const tokenizer = Tokenizer.load(name)
    for (const [i, text] of texts.entries()) {
      const { ids, starts, ends } = tokenizer.encodeOffsets(text, { allowedSpecial: 'all' })
      t.deepEqual(ids, tokenizer.encode(text, { allowedSpecial: 'all' }))
      t.deepEqual([...starts], encodings[name][i], JSON.stringify(text))
      const bytes = (part: string) => Buffer.byteLength(part)
      let before = 0
      for (const [j, id] of ids.entries()) {
        const after = before + tokenizer.tokenBytes(id).length
        // The shortest range of whole characters around the token's bytes.
        t.true(bytes(text.slice(0, starts[j])) <= before && bytes(text.slice(0, ends[j])) >= after)
        const characters = Array.from(text.slice(starts[j], ends[j]))
        const [first, last] = [characters[0], characters.at(-1)!]
        t.true(bytes(text.slice(0, starts[j]) + first) > before && bytes(text.slice(0, ends[j])) - bytes(last) < after)
        before = after
      }
      t.is(before, bytes(text))
    }
  })
}

test('places are those of the text as given, whatever its surrogates are', (t) => {
  const tokenizers = [Tokenizer.load('cl100k_base'), ...Object.values(files).map((it) => changed(it.file, it.changes))]
  const lone = [
    '\ud800',
    '\udc00 a',
    'a\ud83e b\udd99',
    '\udd99\ud83e',
    '\ud83e\ud83e\udd99\udd99 \u{1f999}',
    'x\ud83e',
  ]
  for (const tokenizer of tokenizers) {
    for (const text of lone) {
      // A replacement character has as many code units as a lone surrogate.
      t.deepEqual(tokenizer.encodeOffsets(text), tokenizer.encodeOffsets(wellFormed(text)), JSON.stringify(text))
    }
  }
  const { starts, ends } = Tokenizer.load('gpt2').encodeOffsets('a\ud83e\u{1f999} b')
  t.deepEqual([starts[0], starts.at(-1), ends.at(-1)], [0, 4, 6])
})

test('the places of a long text are those of its parts', (t) => {
  const line = 'a rose\u{1f999} is \u00e9 rose,\n'
  for (const tokenizer of [Tokenizer.load('o200k_base'), changed('wordpiece', {})]) {
    const one = tokenizer.encodeOffsets(line, BARE)
    const many = tokenizer.encodeOffsets(line.repeat(2000), BARE)
    t.is(many.ids.length, one.ids.length * 2000)
    t.deepEqual(many.ids.subarray(-one.ids.length), one.ids)
    const moved = (places: Uint32Array) => places.map((at) => at + line.length * 1999)
    t.deepEqual(many.starts.subarray(-one.ids.length), moved(one.starts))
    t.deepEqual(many.ends.subarray(-one.ids.length), moved(one.ends))
  }
})

test('it takes the options of encode, and fails as encode does', (t) => {
  const tokenizer = Tokenizer.load('gpt2')
  const text = 'a<|endoftext|>'
  refuses(t, () => tokenizer.encodeOffsets(text), 'USAGE', '"<|endoftext|>"', 'position 1')
  const options: EncodeOptions[] = [{ allowedSpecial: 'all' }, { disallowedSpecial: new Set() }]
  for (const each of options) t.deepEqual(tokenizer.encodeOffsets(text, each).ids, tokenizer.encode(text, each))
  t.deepEqual(placesOf(tokenizer.encodeOffsets(text, { allowedSpecial: 'all' })), [0, 1, 1, 14])
  refuses(t, () => tokenizer.encodeOffsets(5 as never), 'USAGE', 'Tokenizer.encodeOffsets: the text')
  refuses(t, () => tokenizer.encodeOffsets('a', { padding: 'longest' } as never), 'USAGE', 'padding')
  const empty = tokenizer.encodeOffsets('')
  t.deepEqual([empty.ids.length, empty.starts.length, empty.ends.length], [0, 0, 0])
})
