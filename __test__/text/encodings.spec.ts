import test from 'ava'
import { Tokenizer, type EncodeOptions } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden } from '../support/golden.js'

type Names = string[] | 'all'
interface Goldens {
  encode: { text: string; ids: number[] }[]
  special: {
    text: string
    allowed: Names
    disallowed: Names
    ids?: number[]
    error?: { token: string; utf16: number }
  }[]
  decode: { ids: number[]; text: string }[]
  digest: Record<string, { count: number; sha256: string }>
}

/** The size, the special tokens, and some unused ids between them. */
const ENCODINGS = {
  r50k_base: { size: 50257, special: { '<|endoftext|>': 50256 }, unused: [] },
  cl100k_base: {
    size: 100277,
    special: {
      '<|endoftext|>': 100257,
      '<|fim_prefix|>': 100258,
      '<|fim_middle|>': 100259,
      '<|fim_suffix|>': 100260,
      '<|endofprompt|>': 100276,
    },
    unused: [100256, 100261, 100275],
  },
  o200k_base: {
    size: 200019,
    special: { '<|endoftext|>': 199999, '<|endofprompt|>': 200018 },
    unused: [199998, 200000, 200017],
  },
}

const set = (names: Names) => (names === 'all' ? names : new Set(names))

for (const [name, { size, special, unused }] of Object.entries(ENCODINGS)) {
  const goldens = readGolden<Goldens>(`text/${name}.json`)
  const load = () => Tokenizer.load(name as keyof typeof ENCODINGS)

  test(`${name}: encodes, counts and decodes like tiktoken`, (t) => {
    const tokenizer = load()
    t.true(goldens.encode.length > 100)
    for (const { text, ids } of goldens.encode) {
      t.deepEqual([...tokenizer.encode(text)], ids, JSON.stringify(text))
      t.is(tokenizer.count(text), ids.length)
      t.is(tokenizer.decode(ids), text)
    }
    for (const { ids, text } of goldens.decode) t.is(tokenizer.decode(ids), text)
    t.is(digest(tokenizer.encode('a'.repeat(2 ** 20))), goldens.digest.a.sha256)
  })

  test(`${name}: treats special tokens like tiktoken`, (t) => {
    const tokenizer = load()
    for (const { text, allowed, disallowed, ids, error } of goldens.special) {
      const options: EncodeOptions = { allowedSpecial: set(allowed), disallowedSpecial: set(disallowed) }
      if (ids) t.deepEqual([...tokenizer.encode(text, options)], ids, text)
      else refuses(t, () => tokenizer.encode(text, options), 'USAGE', error!.token, `at position ${error!.utf16}`)
    }
  })

  test(`${name}: has the right size and special tokens, and rejects unused ids between them`, (t) => {
    const tokenizer = load()
    t.is(tokenizer.name, name)
    t.is(tokenizer.vocabSize, size)
    for (const [token, id] of Object.entries(special)) {
      t.deepEqual([...tokenizer.encode(token, { allowedSpecial: 'all' })], [id])
      t.is(tokenizer.token(id), token)
    }
    for (const id of unused) {
      const error = refuses(t, () => tokenizer.decode([0, id]), 'TOKEN_INDEX', `id ${id} at [1] is not a token`)
      t.deepEqual([error.position, error.value, error.size, error.count], [[1], id, size, 1])
      refuses(t, () => tokenizer.token(id), 'TOKEN_INDEX', `id ${id} at [0] is not a token`)
    }
    refuses(t, () => tokenizer.decode([size]), 'TOKEN_INDEX', `id ${size} at [0] is out of range`)
  })

  test(`${name}: a batch gives the ids of its texts in order, on any number of threads`, (t) => {
    const tokenizer = load()
    const texts = Array.from({ length: 600 }, (_, i) => `${i}: Don't\n  stop/HERE ` + 'naïve 字 '.repeat(i))
    const { ids, offsets } = tokenizer.encodeBatch(texts)
    t.is(offsets.length, texts.length + 1)
    for (const [i, text] of texts.entries()) t.deepEqual(ids.slice(offsets[i], offsets[i + 1]), tokenizer.encode(text))
    const names = Object.keys(special)
    const last = names[names.length - 1]
    texts[400] += last
    texts[590] = names[0]
    refuses(t, () => tokenizer.encodeBatch(texts), 'USAGE', 'text 400 of the batch', last)
  })
}
