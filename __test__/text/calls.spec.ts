// Calls of tokenizers besides plain encoding, compared with the Python libraries of Hugging Face and OpenAI.

import test from 'ava'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  encodingForModel,
  loadGGUF,
  loadNpy,
  saveNpy,
  tensor,
  Tokenizer,
  UnknownTokenError,
  type LocatedIds,
  type PairOptions,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { withBoth, sameIds } from '../support/tiktoken.js'
import { get_encoding } from 'tiktoken'

interface Located {
  ids: number[]
  words: number[]
  places: number[]
}
interface File {
  file: string
  changes: Record<string, unknown>
  located: Located[]
  pairs: (Located & { framed: boolean; types: number[]; sequences: number[] })[]
  cut: { strategy: string; direction: 'left' | 'right'; length: number; rows: (number[] | null)[] }[]
  overflow: { direction: 'left' | 'right'; length: number; stride: number; rows: [number, number[]][] }[]
  padded: number[][]
  pretokenized: (Located & { framed: boolean })[]
  vocabulary: number
  decoded: string[]
}
interface Cases {
  texts: string[]
  pairs: [string, string][]
  words: string[][]
  files: Record<string, File>
  others: { lower: number[][]; cased: number[][]; pair: number[]; byte_pairs: number[][] }
  ranks: { special: Record<string, number>; own: string; ids: Record<string, number[][]> }
  harmony: { texts: string[]; ids: number[][]; size: number }
  models: Record<string, string>
  beginnings: Record<string, string>
}
const golden = readGolden<Cases>('tokenizer_calls/cases.json')
const { texts, pairs, words, others } = golden

const folder = mkdtempSync(join(tmpdir(), 'tokenbed-calls-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

interface Json {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] }
}
const hf = (name: string) => JSON.parse(readFileSync(join(root, `testdata/golden/hf/${name}.json`), 'utf8')) as Json

function load({ file, changes }: File): Tokenizer {
  const path = join(folder, 'tokenizer.json')
  writeFileSync(path, JSON.stringify({ ...hf(file), ...changes, truncation: null, padding: null }))
  return Tokenizer.fromFile(path)
}

const placesOf = ({ starts, ends }: LocatedIds) => [...starts].flatMap((start, i) => [start, ends[i]])
const rowsOf = ({ ids, offsets }: { ids: Uint32Array; offsets: Uint32Array }) =>
  Array.from({ length: offsets.length - 1 }, (_, i) => [...ids.subarray(offsets[i], offsets[i + 1])])
const STRATEGIES: Record<string, PairOptions['truncation']> = {
  longest_first: 'longestFirst',
  only_first: 'onlyFirst',
  only_second: 'onlySecond',
}

for (const [name, file] of Object.entries(golden.files)) {
  test(`${name}: words of tokens, pairs, further rows and words as texts are the library's`, async (t) => {
    const tokenizer = load(file)
    texts.forEach((text, i) => {
      const located = tokenizer.encodeOffsets(text)
      t.deepEqual([...located.wordIds], file.located[i].words, `${name}: ${text}`)
      t.deepEqual(placesOf(located), file.located[i].places)
    })
    file.pairs.forEach(({ framed, ids, words: wordIds, places, types, sequences }, i) => {
      const [a, b] = pairs[i % pairs.length]
      const found = tokenizer.encodePair(a, b, { addSpecialTokens: framed })
      const said = `${name}: ${a} | ${b} ${framed}`
      t.deepEqual([...found.ids], ids, said)
      t.deepEqual([...found.typeIds], types, said)
      t.deepEqual([...found.sequenceIds], sequences, said)
      t.deepEqual([...found.wordIds], wordIds, said)
      t.deepEqual(placesOf(found), places, said)
    })
    for (const { strategy, direction: truncationSide, length: maxLength, rows } of file.cut) {
      const options = { maxLength, truncationSide, truncation: STRATEGIES[strategy] }
      rows.forEach((row, i) => {
        const run = () => tokenizer.encodePair(...pairs[i], options)
        if (row === null) refuses(t, run, 'USAGE', 'too many')
        else t.deepEqual([...run().ids], row, `${name}: ${strategy} ${truncationSide} ${maxLength} ${pairs[i]}`)
      })
    }
    for (const { direction: truncationSide, length: maxLength, stride, rows } of file.overflow) {
      const options = { maxLength, truncationSide, stride, overflow: true } as const
      const batch = tokenizer.encodeBatch(texts, options)
      t.deepEqual(
        rowsOf(batch).map((row, i) => [batch.samples[i], row]),
        rows,
        `${name}: ${truncationSide} ${maxLength} ${stride}`,
      )
      t.deepEqual(await tokenizer.encodeBatchAsync(texts, options), batch)
      const padded = tokenizer.encodeBatch(texts, { ...options, padding: 'longest', paddingId: 1 })
      t.deepEqual([...padded.samples], [...batch.samples])
      const later = await tokenizer.encodeBatchAsync(texts, { ...options, padding: 'longest', paddingId: 1 })
      t.deepEqual(later.ids.toArray(), padded.ids.toArray())
      t.deepEqual([...later.samples], [...padded.samples])
    }
    const some = texts.slice(0, 20)
    const padded = tokenizer.encodeBatch(some, { padding: 'longest', paddingId: 7, padToMultipleOf: 8 })
    t.deepEqual(padded.ids.toArray(), file.padded)
    for (const [i, { framed, ids, words: wordIds, places }] of file.pretokenized.entries()) {
      const text = words[i % words.length]
      const options = { addSpecialTokens: framed, pretokenized: true } as const
      const found = tokenizer.encodeOffsets(text, options)
      t.deepEqual([...found.ids], ids, `${name}: ${text.join('|')}`)
      t.deepEqual([...found.wordIds], wordIds)
      t.deepEqual(placesOf(found), places)
      t.deepEqual([...tokenizer.encode(text, options)], ids)
    }
    const whole = tokenizer.encodeBatch(words, { pretokenized: true })
    t.deepEqual(
      rowsOf(whole),
      file.pretokenized.slice(0, words.length).map(({ ids }) => ids),
    )
    t.deepEqual(await tokenizer.encodeBatchAsync(words, { pretokenized: true }), whole)
    const vocabulary = tokenizer.vocabulary()
    t.is(vocabulary.size, file.vocabulary)
    for (const [token, id] of vocabulary) {
      t.is(tokenizer.id(token), id)
      t.is(tokenizer.token(id), token)
    }
    const decoded = tokenizer.decodeBatch(tokenizer.encodeBatch(texts), { skipSpecialTokens: true })
    t.deepEqual(decoded, file.decoded)
    t.deepEqual(
      tokenizer.decodeBatch(
        texts.map((text) => tokenizer.encode(text)),
        { skipSpecialTokens: true },
      ),
      file.decoded,
    )
    const rows = tokenizer.encodeBatch(texts, { padding: 'longest', paddingId: 7 })
    t.deepEqual(tokenizer.decodeBatch(rows, { skipSpecialTokens: true }), file.decoded)
    t.is(tokenizer.decodeBatch(rows.ids).length, texts.length)
  })
}

test('a vocab.txt is the tokenizer of BERT', (t) => {
  const path = join(folder, 'bert')
  mkdirSync(path)
  const tokens = Object.entries(hf('wordpiece').model.vocab).sort((a, b) => a[1] - b[1])
  writeFileSync(join(path, 'vocab.txt'), tokens.map(([token]) => `${token}\n`).join(''))
  const lower = Tokenizer.fromFile(path)
  texts.forEach((text, i) => t.deepEqual([...lower.encode(text)], others.lower[i], text))
  t.deepEqual([...lower.encodePair(...pairs[0]).ids], others.pair)
  t.is(lower.paddingId, lower.id('[PAD]'))
  t.is(lower.engine, 'native')
  const cased = Tokenizer.fromFile(join(path, 'vocab.txt'), { lowercase: false })
  texts.forEach((text, i) => t.deepEqual([...cased.encode(text)], others.cased[i], text))
  writeFileSync(join(path, 'tokenizer_config.json'), JSON.stringify({ do_lower_case: false }))
  t.deepEqual([...Tokenizer.fromFile(path).encode('Hello')], [...cased.encode('Hello')])
  writeFileSync(join(path, 'tokenizer_config.json'), '[]')
  refuses(t, () => Tokenizer.fromFile(path), 'FORMAT', 'tokenizer_config.json')
  writeFileSync(join(folder, 'words.txt'), 'a\nb\n')
  refuses(t, () => Tokenizer.fromFile(join(folder, 'words.txt')), 'FORMAT', '[UNK]')
  refuses(t, () => Tokenizer.fromFile(join(folder, 'words.txt'), { pattern: 'x' }), 'USAGE', 'pattern')
})

test('vocab.json and merges.txt are one tokenizer', (t) => {
  const path = join(folder, 'gpt')
  mkdirSync(path)
  const { vocab, merges } = hf('byte-level').model
  writeFileSync(join(path, 'vocab.json'), JSON.stringify(vocab))
  const lines = merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')))
  writeFileSync(join(path, 'merges.txt'), `#version: 0.2\n${lines.join('\n')}\n`)
  for (const name of ['', 'vocab.json', 'merges.txt']) {
    const tokenizer = Tokenizer.fromFile(pathToFileURL(join(path, name)), { specialTokens: [] })
    texts.forEach((text, i) => t.deepEqual([...tokenizer.encode(text)], others.byte_pairs[i], text))
  }
  t.deepEqual([...Tokenizer.fromFile(path).specialTokens], [['<|endoftext|>', 0]])
  writeFileSync(join(path, 'merges.txt'), 'a b\na\n')
  refuses(t, () => Tokenizer.fromFile(path), 'FORMAT', 'line 2')
  writeFileSync(join(path, 'vocab.json'), '{"a":-1}')
  refuses(t, () => Tokenizer.fromFile(path), 'FORMAT', "'a'", '-1')
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  refuses(t, () => Tokenizer.fromFile(empty), 'FILE', 'tokenizer.json')
})

test('ranks of tiktoken are a tokenizer with a pattern', (t) => {
  const gpt2 = Tokenizer.load('gpt2')
  const path = join(folder, 'few.tiktoken')
  const line = (id: number) => `${Buffer.from(gpt2.tokenBytes(id)).toString('base64')} ${id}\n`
  writeFileSync(path, Array.from({ length: 2000 }, (_, id) => line(id)).join(''))
  const { special, ids } = golden.ranks
  for (const [pattern, theirs] of Object.entries(ids)) {
    const tokenizer = Tokenizer.fromFile(path, { pattern, specialTokens: special })
    ;[...texts, 'a<|stop|> b'].forEach((text, i) => {
      t.deepEqual([...tokenizer.encode(text)], theirs[i], `${pattern}: ${text}`)
      t.is(tokenizer.decode(theirs[i]), Buffer.from(text).toString())
    })
    t.is(tokenizer.vocabSize, 2008)
    t.deepEqual([...tokenizer.specialTokens], Object.entries(special))
  }
  refuses(t, () => Tokenizer.fromFile(path), 'USAGE', 'pattern', 'cl100k_base')
  refuses(t, () => Tokenizer.fromFile(path, { pattern: String.raw`\p{N}{1,3}+` }), 'USAGE', '(?>')
  refuses(t, () => Tokenizer.fromFile(path, { pattern: 'gpt2', specialTokens: { x: 5 } }), 'USAGE', 'id 5')
  refuses(t, () => Tokenizer.fromFile(path, { pattern: 'gpt2', specialTokens: ['<x>'] }), 'USAGE', '<x>')
  for (const [text, said] of [
    ['YQ== 0\nYQ== 1\n', 'line 2'],
    ['YQ==\n', 'line 1'],
    ['YQ== 0\nYmM= 1\n', 'rank 1'],
  ]) {
    writeFileSync(join(folder, 'bad.tiktoken'), text)
    refuses(t, () => Tokenizer.fromFile(join(folder, 'bad.tiktoken'), { pattern: 'gpt2' }), 'FORMAT', said)
  }
})

test("p50k_base and p50k_edit have tiktoken's ids", (t) => {
  const spaces = Array.from({ length: 60 }, (_, n) => `a${' '.repeat(n)}b\n${' '.repeat(n)}`)
  const long = spaces.join('').repeat(200)
  for (const name of ['p50k_base', 'p50k_edit'] as const) {
    const theirs = get_encoding(name)
    try {
      const ours = Tokenizer.load(name)
      sameIds(t, ours, theirs, [...texts, ...spaces, long])
      const text = `${long}<|endoftext|>  x`
      const ids = ours.encode(text, { allowedSpecial: 'all' })
      t.deepEqual([...ids], [...theirs.encode(text, 'all')])
      t.is(ours.decode(ids), text)
      t.is(ours.count(text, { allowedSpecial: 'all' }), ids.length)
      t.false(ours.decode(ids, { skipSpecialTokens: true }).includes('<|'))
      t.is(ours.vocabSize, name === 'p50k_base' ? 50281 : 50284)
      t.is(ours.id('<|endoftext|>'), 50256)
      t.is(ours.id('  '), 50257)
      t.deepEqual(
        [...ours.tokenBytes(50280)],
        Array.from({ length: 25 }, () => 32),
      )
    } finally {
      theirs.free()
    }
  }
})

test("o200k_harmony has tiktoken's ids", (t) => {
  const { texts: chats, ids, size } = golden.harmony
  const tokenizer = Tokenizer.load('o200k_harmony')
  chats.forEach((chat, i) => {
    t.deepEqual([...tokenizer.encode(chat, { allowedSpecial: 'all' })], ids[i])
    refuses(t, () => tokenizer.encode(chat), 'USAGE', 'special token')
  })
  t.is(tokenizer.vocabSize, size)
  t.is(tokenizer.decode([200018]), '<|endofprompt|>')
  withBoth(
    'o200k_base',
    (_, theirs) =>
      void sameIds(
        t,
        tokenizer,
        theirs,
        texts.filter((text) => !text.includes('<|')),
      ),
  )
})

test("models have tiktoken's encodings", (t) => {
  for (const [model, encoding] of Object.entries({ ...golden.models, ...golden.beginnings }))
    t.is(encodingForModel(model), Tokenizer.load(encoding as 'gpt2'), model)
  t.is(Tokenizer.encodingForModel('gpt-4o').name, 'o200k_base')
  refuses(t, () => encodingForModel('no-such-model'), 'USAGE', 'no-such-model')
  refuses(t, () => encodingForModel('toString'), 'USAGE', 'toString')
  refuses(t, () => encodingForModel(5 as never), 'USAGE', 'name of a model')
})

test('tokens of encodings have ids by text and by bytes', (t) => {
  const tokenizer = Tokenizer.load('cl100k_base')
  t.is(tokenizer.id(' whale'), tokenizer.encode(' whale')[0])
  t.is(tokenizer.id(Uint8Array.of(0xff)), tokenizer.id(Buffer.of(0xff)))
  t.is(tokenizer.id('<|endoftext|>'), 100257)
  const error = t.throws(() => tokenizer.id('whaleboat'), { instanceOf: UnknownTokenError })
  t.deepEqual(
    error.nearest,
    Array.from(tokenizer.encode('whaleboat'), (id) => tokenizer.token(id)),
  )
  refuses(t, () => tokenizer.id(''), 'USAGE')
  refuses(t, () => tokenizer.id(5 as never), 'USAGE', 'string')
  const vocabulary = Tokenizer.load('gpt2').vocabulary()
  t.is(vocabulary.size, 50257)
  t.is(vocabulary.get('Ġthe'), 262)
  t.is(vocabulary.get('<|endoftext|>'), 50256)
  const located = tokenizer.encodeOffsets("It's 12345 words<|endoftext|>", { allowedSpecial: 'all' })
  t.deepEqual([...located.wordIds], [0, 1, 2, 3, 4, 5, 6].slice(0, located.ids.length))
})

test('contradicting options are errors', (t) => {
  const tokenizer = Tokenizer.load('gpt2')
  const wrong = (options: object, ...parts: string[]) =>
    refuses(t, () => tokenizer.encodeBatch(['a b c d'], options as never), 'USAGE', ...parts)
  wrong({ overflow: true }, 'maxLength')
  wrong({ maxLength: 4, stride: 1 }, 'overflow')
  wrong({ maxLength: 4, stride: 4, overflow: true }, 'stride 4', 'less than the 4')
  wrong({ maxLength: 4, stride: -1, overflow: true }, 'stride')
  wrong({ maxLength: 4, overflow: 1 }, 'overflow')
  wrong({ padToMultipleOf: 8 }, 'padToMultipleOf')
  wrong({ padding: 'longest', padToMultipleOf: 0 }, 'padToMultipleOf')
  wrong({ padding: 'longest', padToMultipleOf: 2 ** 50 }, 'GiB')
  wrong({ pretokenized: true }, 'array of words')
  wrong({ pretokenized: 1 }, 'pretokenized')
  const words = (text: unknown) => () => tokenizer.encodeBatch([['a'], text] as never, { pretokenized: true })
  refuses(t, words(5), 'USAGE', 'text 1')
  refuses(t, words(['b', 5]), 'USAGE', 'word 1 of text 1')
  refuses(t, words(['b', '<|endoftext|>']), 'USAGE', 'text 1 of the batch')
  refuses(t, () => tokenizer.encode(['a'] as never), 'USAGE', 'string')
  refuses(t, () => tokenizer.encodePair('a', 5 as never), 'USAGE', 'the second text')
  refuses(t, () => tokenizer.encodePair('a', 'b', { truncation: 'onlyFirst' }), 'USAGE', 'maxLength')
  refuses(t, () => tokenizer.encodePair('a', 'b', { truncation: 'both' as never, maxLength: 2 }), 'USAGE', 'both')
  refuses(t, () => tokenizer.decodeBatch([[50257]]), 'TOKEN_INDEX', '50257')
  refuses(t, () => tokenizer.decodeBatch({ ids: [1, 2], offsets: [0, 3] }), 'SHAPE', 'offsets[1]')
  refuses(t, () => tokenizer.decodeBatch(5 as never), 'USAGE')
  t.deepEqual(tokenizer.decodeBatch([]), [])
  t.deepEqual(tokenizer.decodeBatch([[], [262]]), ['', ' the'])
})

test('paths may be URLs', (t) => {
  const path = join(folder, 'a b.npy')
  saveNpy(pathToFileURL(path), tensor([1, 2]))
  t.deepEqual(loadNpy(pathToFileURL(path).href).toArray(), [1, 2])
  t.deepEqual(loadNpy(path).toArray(), [1, 2])
  refuses(t, () => loadNpy('https://example.org/a.npy'), 'USAGE', 'downloaded')
  refuses(t, () => loadGGUF(new URL('https://example.org/a.gguf')), 'USAGE', 'downloaded')
  refuses(t, () => loadNpy(new URL('data:,x')), 'USAGE', 'URL')
})
