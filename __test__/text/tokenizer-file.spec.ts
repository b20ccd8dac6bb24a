import test from 'ava'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { createDataLoader, Tokenizer } from '../../index.js'
import { isSanitized } from '../lifetime/measure.js'
import { scenario } from '../support/child.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'

interface Case {
  ids: number[]
  text: string
  /** The ids without what the file adds around the text, if they differ. */
  bare?: number[]
  /** The text decoded without special tokens, if it differs. */
  skipped?: string
}
const { texts, cases } = readGolden<{ texts: string[]; cases: Record<string, Case[]> }>('hf/cases.json')
const pathOf = (name: string) => join(root, `testdata/golden/hf/${name}.json`)
const NONE = new Set<string>()

const folder = join(tmpdir(), `tokenbed-file-${process.pid}`)
mkdirSync(folder, { recursive: true })
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

/** Writes a file with these contents. */
function written(name: string, contents: unknown): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    typeof contents === 'string' || contents instanceof Uint8Array ? contents : JSON.stringify(contents),
  )
  return path
}
const parsed = (name: string) => JSON.parse(readFileSync(pathOf(name), 'utf8'))

for (const [name, expected] of Object.entries(cases)) {
  test(`${name}: gives the ids and texts of the library`, (t) => {
    const tokenizer = Tokenizer.fromFile(pathOf(name))
    t.true(expected.length > 60)
    for (const [i, { ids, text, bare = ids, skipped = text }] of expected.entries()) {
      const said = JSON.stringify(texts[i])
      t.deepEqual([...tokenizer.encode(texts[i])], ids, said)
      t.deepEqual([...tokenizer.encode(texts[i], { addSpecialTokens: false })], bare, said)
      t.is(tokenizer.count(texts[i]), ids.length)
      t.is(tokenizer.count(texts[i], { addSpecialTokens: false }), bare.length)
      t.is(tokenizer.decode(ids), text, said)
      t.is(tokenizer.decode(ids, { skipSpecialTokens: true }), skipped, said)
    }
    const many = Array.from({ length: 20 }, () => texts).flat()
    const { ids, offsets } = tokenizer.encodeBatch(many)
    t.is(offsets.length, many.length + 1)
    for (const [i] of many.entries())
      t.deepEqual([...ids.subarray(offsets[i], offsets[i + 1])], expected[i % texts.length].ids)
  })
}

test('the bytes of a file are freed as soon as they are read', (t) => {
  // White space between the parts makes a file large that is read at once.
  const path = written('large.json', `${' '.repeat(16 << 20)}${readFileSync(pathOf('wordpiece'), 'utf8')}`)
  const before = process.memoryUsage().arrayBuffers
  const tokenizers = [1, 2].map(() => Tokenizer.fromFile(path))
  t.true(process.memoryUsage().arrayBuffers - before < 8 << 20)
  t.deepEqual(tokenizers[1].encode('one two'), Tokenizer.fromFile(pathOf('wordpiece')).encode('one two'))
})

test('a tokenizer knows the properties of its file', (t) => {
  const wordpiece = Tokenizer.fromFile(pathOf('wordpiece'))
  t.is(wordpiece.name, 'wordpiece.json')
  t.is(wordpiece.vocabSize, Math.max(...Object.values<number>(parsed('wordpiece').model.vocab)) + 1)
  t.deepEqual(
    [...wordpiece.specialTokens],
    [
      ['[PAD]', 0],
      ['[UNK]', 1],
      ['[CLS]', 2],
      ['[SEP]', 3],
      ['[MASK]', 4],
    ],
  )
  t.is(wordpiece.paddingId, 0)
  t.is(wordpiece.token(2), '[CLS]')
  t.true(Array.from({ length: wordpiece.vocabSize }, (_, id) => wordpiece.token(id)).includes('##ing'))
  t.is(Tokenizer.fromFile(pathOf('unigram')).paddingId, 3)
  t.is(Tokenizer.fromFile(pathOf('llama')).paddingId, undefined)
  const gpt2 = Tokenizer.load('gpt2')
  t.deepEqual([...gpt2.specialTokens], [['<|endoftext|>', 50256]])
  t.is(gpt2.paddingId, 50256)
})

test('an added token counts for the size and is found in texts', (t) => {
  const file = parsed('byte-level')
  const { vocab } = file.model
  const id = Object.keys(vocab).length
  const more = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false }
  file.added_tokens.push({ id, content: '[NEW]', ...more })
  const tokenizer = Tokenizer.fromFile(written('added.json', file))
  t.is(tokenizer.vocabSize, id + 1)
  t.true(tokenizer.encode('a[NEW]b').includes(id))
  t.false(tokenizer.specialTokens.has('[NEW]'))
  t.is(tokenizer.token(id), '[NEW]')
  t.is(tokenizer.decode([id]), '[NEW]')
})

test('special tokens in a text are recognized by default, or only those that are allowed', (t) => {
  const tokenizer = Tokenizer.fromFile(pathOf('wordpiece'))
  const bare = { addSpecialTokens: false }
  const text = '[CLS] in [MASK] [SEP]'
  const all = [...tokenizer.encode(text, bare)]
  t.deepEqual([all[0], all.includes(4), all[all.length - 1]], [2, true, 3])
  t.deepEqual([...tokenizer.encode(text, { ...bare, allowedSpecial: 'all' })], all)
  t.deepEqual([...tokenizer.encode(text, { ...bare, disallowedSpecial: 'all' })], all)
  refuses(t, () => tokenizer.encode(text, { allowedSpecial: NONE }), 'USAGE', '"[CLS]"', 'position 0')
  refuses(
    t,
    () => tokenizer.encode(text, { disallowedSpecial: new Set(['[MASK]']) }),
    'USAGE',
    '"[MASK]"',
    'position 9',
  )
  refuses(
    t,
    () => tokenizer.encodeBatch(['a', text], { allowedSpecial: new Set(['[CLS]', '[SEP]']) }),
    'USAGE',
    'text 1',
    '[MASK]',
  )
  const plain = [...tokenizer.encode(text, { ...bare, allowedSpecial: NONE, disallowedSpecial: NONE })]
  for (const id of [2, 3, 4]) t.false(plain.includes(id))
  const some = [...tokenizer.encode(text, { ...bare, allowedSpecial: new Set(['[MASK]']), disallowedSpecial: NONE })]
  t.deepEqual(
    [2, 3, 4].map((id) => some.includes(id)),
    [false, false, true],
  )
  t.deepEqual(some.slice(0, some.indexOf(4)), [
    ...tokenizer.encode('[CLS] in ', { ...bare, allowedSpecial: NONE, disallowedSpecial: NONE }),
  ])
  // An encoding does not recognize special tokens until they are allowed.
  t.deepEqual([...Tokenizer.load('gpt2').encode('a', { addSpecialTokens: true })], [64])
})

test('ids that are not tokens are errors', (t) => {
  const tokenizer = Tokenizer.fromFile(pathOf('wordpiece'))
  const size = tokenizer.vocabSize
  const error = refuses(t, () => tokenizer.decode([1, size, size]), 'TOKEN_INDEX', `id ${size} at [1]`, '(1 more)')
  t.deepEqual([error.position, error.size], [[1], size])
  refuses(t, () => tokenizer.token(size), 'TOKEN_INDEX', `id ${size}`)
  refuses(t, () => tokenizer.decode([-1]), 'TOKEN_INDEX', 'id -1')
  const sparse = {
    version: '1.0',
    model: { type: 'WordLevel', vocab: { a: 0, b: 7 }, unk_token: 'a' },
    added_tokens: [],
  }
  const gaps = Tokenizer.fromFile(written('gaps.json', sparse))
  t.is(gaps.vocabSize, 8)
  refuses(t, () => gaps.decode([0, 3]), 'TOKEN_INDEX', 'id 3 at [1] is not a token')
})

test('dropout of the file, which is for training, does not change ids', (t) => {
  const file = parsed('byte-level')
  file.model.dropout = 0.9
  const tokenizer = Tokenizer.fromFile(written('dropout.json', file))
  for (let i = 0; i < 10; i++) t.deepEqual([...tokenizer.encode(texts[10])], cases['byte-level'][10].ids)
})

test('a loader accepts the tokenizer', (t) => {
  const tokenizer = Tokenizer.fromFile(pathOf('byte-level'))
  const loader = createDataLoader(texts[10], { tokenizer, maxLength: 4, stride: 4, batchSize: 2, shuffle: false })
  t.deepEqual([...loader.ids], cases['byte-level'][10].ids)
})

test('an unreadable file is an error', (t) => {
  const error = refuses(t, () => Tokenizer.fromFile(join(folder, 'missing.json')), 'FILE', 'missing.json')
  t.is((error.cause as NodeJS.ErrnoException).code, 'ENOENT')
  t.is(error.path, join(folder, 'missing.json'))
  refuses(t, () => Tokenizer.fromFile(folder), 'FILE', folder)
  for (const path of ['', 5, null, 'a\0b'])
    refuses(t, () => Tokenizer.fromFile(path as never), 'USAGE', 'Tokenizer.fromFile')
})

test('the error about a file that is not a tokenizer says where and why', (t) => {
  const whole = readFileSync(pathOf('wordpiece'))
  for (const length of [0, 1, 100, whole.length / 2, whole.length - 3].map(Math.floor)) {
    const error = refuses(
      t,
      () => Tokenizer.fromFile(written('cut.json', whole.subarray(0, length))),
      'FORMAT',
      'cut short',
    )
    t.is(error.offset, length)
    t.is(error.path, join(folder, 'cut.json'))
  }
  const cases: [string, unknown, ...string[]][] = [
    ['text', 'hello', 'not JSON'],
    ['utf8', Uint8Array.of(0x7b, 0xff), 'not UTF-8', 'byte 1'],
    ['list', '[]', 'not a tokenizer.json'],
    ['empty', '{}', 'no model'],
    ['null model', { model: null }, 'model'],
    ['number', '5', 'not a tokenizer.json'],
    ['trailing', `${whole.toString().trim()}x`, 'not JSON', `byte ${Buffer.byteLength(whole.toString().trim())}`],
    ['version', { ...parsed('wordpiece'), version: '9' }, "'9'"],
  ]
  for (const [part, kind] of [
    ['model', 'Morse'],
    ['normalizer', 'Rot13'],
    ['pre_tokenizer', 'Scissors'],
    ['post_processor', 'Glue'],
    ['decoder', 'Enigma'],
  ]) {
    cases.push([part, { ...parsed('wordpiece'), [part]: { type: kind } }, `${part}: "${kind}" is not supported`])
  }
  cases.push([
    'nested',
    { ...parsed('wordpiece'), normalizer: { type: 'Sequence', normalizers: [{ type: 'Rot13' }] } },
    '"Rot13"',
  ])
  cases.push(['unknown word', { ...parsed('wordpiece'), model: { type: 'WordPiece', vocab: 5 } }, 'model:'])
  cases.push([
    'merge',
    { ...parsed('byte-level'), model: { ...parsed('byte-level').model, merges: [['a', 'nowhere']] } },
    'model:',
    'nowhere',
  ])
  cases.push([
    'regex',
    {
      ...parsed('wordpiece'),
      pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated', invert: false },
    },
    'pre_tokenizer:',
  ])
  for (const [name, contents, ...parts] of cases) {
    refuses(t, () => Tokenizer.fromFile(written(`${name}.json`, contents)), 'FORMAT', `${name}.json`, ...parts)
  }
  const bad = { ...parsed('wordpiece'), decoder: { type: 'Enigma' } }
  const error = refuses(t, () => Tokenizer.fromFile(written('where.json', bad)), 'FORMAT')
  t.is(error.offset, Buffer.from(JSON.stringify(bad)).indexOf('"Enigma"'))
})

test('hostile nesting is an error', (t) => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
    ['{"normalizer":', '}'],
    ['{"decoder":[', ']}'],
  ]) {
    for (const depth of [90, 101, 1000, 1e6]) {
      const text = open.repeat(depth) + '1' + close.repeat(depth)
      refuses(t, () => Tokenizer.fromFile(written('deep.json', text)), 'FORMAT')
      refuses(t, () => Tokenizer.fromFile(written('deep.json', `{"decoder":${text},"model":${text}}`)), 'FORMAT')
    }
  }
  const nested = (depth: number): unknown =>
    depth === 0 ? { type: 'NFC' } : { type: 'Sequence', normalizers: [nested(depth - 1)] }
  t.is(Tokenizer.fromFile(written('nest.json', { ...parsed('wordpiece'), normalizer: nested(40) })).vocabSize > 0, true)
})

test('random changes of bytes give a tokenizer or a FormatError, and never a crash', (t) => {
  const whole = readFileSync(pathOf('llama'))
  let seed = 7
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n
  for (let i = 0; i < 150; i++) {
    const bytes = Buffer.from(whole)
    // Changes the other parts more often than the vocabulary.
    for (let k = 0; k < 3; k++) bytes[random(i % 2 ? 1500 : bytes.length)] = 32 + random(95)
    try {
      Tokenizer.fromFile(written('changed.json', bytes)).encode('some text')
    } catch (error) {
      t.regex((error as { code: string }).code, /^(FORMAT|USAGE)$/, String(error))
    }
  }
})

test('worker threads can load their own', async (t) => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Tokenizer } = require(workerData.index)
    parentPort.postMessage([...Tokenizer.fromFile(workerData.path).encode(workerData.text)])`
  const workerData = { index: join(root, 'dist/index.js'), path: pathOf('wordpiece'), text: texts[10] }
  const run = () =>
    new Promise((done, fail) => new Worker(code, { eval: true, workerData }).once('message', done).once('error', fail))
  for (const ids of await Promise.all([run(), run(), run()])) t.deepEqual(ids, cases.wordpiece[10].ids)
})

test('unused tokenizers are collected', async (t) => {
  const SCRIPT = 'lifetime/tokenizers.js'
  const collected = await scenario(SCRIPT, 'collected')
  t.log(collected)
  // Fifty tokenizers take about 200 MB.
  t.false(!isSanitized && collected.growth > 60 * 2 ** 20)
  t.true(collected.told < 30 * 2 ** 20)
  const refused = await scenario(SCRIPT, 'refused')
  t.log(refused)
  t.is(refused.refused, 30)
  t.false(!isSanitized && refused.growth > 40 * 2 ** 20)
  t.deepEqual(await scenario(SCRIPT, 'outlived'), { text: 'token number 1 token number 2' } as never)
})
