// The forms of sources, which are the same for all functions that read one, and the sources that are refused.

import test, { type ExecutionContext } from 'ava'
import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import {
  arange,
  createDataLoader,
  FileError,
  streamBatches,
  streamIds,
  tensor,
  TokenIndexError,
  Tokenizer,
  Trainer,
  UsageError,
  type Corpus,
  type LoaderOptions,
  type LoaderSource,
  type PairTrainerOptions,
  type TextSource,
  type TrainerOptions,
  type TrainResult,
} from '../../index.js'
import { runScript } from '../support/child.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const gpt2 = Tokenizer.load('gpt2')
const PAIRS: PairTrainerOptions = { objective: 'skip-gram', dim: 4, epochs: 1, minCount: 1 }
const TEXTS = ['the cat sat', 'a dog sat', '', ' on\nthe mat']

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function all(source: AsyncIterable<Uint32Array>): Promise<number[]> {
  const ids: number[] = []
  for await (const chunk of source) ids.push(...chunk)
  return ids
}

async function* late<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise((resolve) => setImmediate(resolve))
    yield item
  }
}

function* some<T>(items: Iterable<T>): Generator<T> {
  yield* items
}

const words = ({ vocabulary }: TrainResult) => [...(vocabulary as string[])].sort()
const learned = async (corpus: unknown, options: TrainerOptions = PAIRS) => new Trainer(corpus as Corpus, options).run()
const bits = ({ tensors }: TrainResult) =>
  Object.values(tensors).map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  )

/** All functions that read a source, by the name with which their error messages begin. */
const READERS: [string, (source: unknown) => unknown][] = [
  ['Trainer', (source) => new Trainer(source as Corpus, PAIRS)],
  ['streamIds', (source) => streamIds(source as TextSource)],
  ['streamBatches', (source) => streamBatches(source as TextSource)],
  ['createDataLoader', (source) => createDataLoader(source as LoaderSource, { maxLength: 1 })],
]

const stream = () => createReadStream(__filename)
/** Ambiguous values, and the form that each function suggests. */
const MISTAKABLE: [string, () => unknown, string[]][] = [
  ['texts or paths', () => ['the cat sat'], ['{ texts: [...] } or { files: [...] }']],
  ['paths or texts', () => ['a.txt', 'b.txt'], ['{ texts: [...] } or { files: [...] }']],
  ['an array of another realm', () => runInNewContext("['the cat sat']"), ['{ texts: [...] } or { files: [...] }']],
  [
    'an array subclass',
    () => Object.assign(new (class Lines extends Array<string> {})(), ['a b']),
    ['{ texts: [...] } or { files: [...] }'],
  ],
  ['an empty array', () => [], ['{ texts: [...] }']],
  ['a Set', () => new Set(['the cat sat', 'a dog sat']), ['{ texts: [...] }', '{ pieces: ... }']],
  ['a Map', () => new Map([['a', 'text']]), ['{ texts: [...] }']],
  ['a generator', () => some(['the cat sat', 'a dog sat']), ['{ texts: [...] }', '{ pieces: ... }']],
  ['an iterator', () => ['a'].values(), ['{ texts: [...] }', '{ pieces: ... }']],
  ['an async generator', () => late(['the cat sat', 'a dog sat']), ['{ texts: [...] }', '{ pieces: ... }']],
  ['lines of a file', () => createInterface({ input: stream() }), ['{ texts: [...] }', '{ pieces: ... }']],
  ['a web stream', () => new ReadableStream(), ['{ texts: [...] }', '{ pieces: ... }']],
  ['a stream of objects', () => Readable.from(['a', 'b']), ['{ texts: [...] }', '{ pieces: ... }']],
  ['a stream of bytes', stream, ["createReadStream(path, 'utf8')"]],
  ['a String', () => new String('x.txt'), ['{ texts: [...] }', '{ files: [...] }']],
  ['the bytes of a file', () => Buffer.from('the cat sat'), ['{ texts: [buffer.toString()] }', '{ ids: buffer }']],
  ['lists of ids', () => [[1, 2], [3]], ['{ ids: ... }']],
  ['typed lists', () => [new Uint32Array(2)], ['{ ids: ... }']],
  ['nothing', () => undefined, ['{ texts: [...] }', '{ files: [...] }']],
  ['null', () => null, ['{ texts: [...] }']],
  ['a number', () => 5, ['{ texts: [...] }']],
  ['a function', () => () => ['a'], ['{ texts: [...] }']],
  ['an empty object', () => ({}), ['{ texts: [...] }']],
  ['a Promise', () => Promise.resolve(['a']), ['{ texts: [...] }']],
  ['a Date', () => new Date(0), ['{ texts: [...] }']],
  ['[undefined]', () => [undefined], ['{ texts: [...] }']],
  ['a hole', () => [, 'a'], ['{ texts: [...] }']], // eslint-disable-line no-sparse-arrays
  ['a name that is none', () => ({ text: 'the cat sat' }), ['"text"', '{ texts: [...] }']],
  ['one path', () => ({ file: 'x.txt' }), ['"file"', '{ files: [...] }']],
  ['a folder that is no path', () => ({ folder: ['x'] }), ['folder', "not [ 'x' ]"]],
  ['verify without a folder', () => ({ texts: ['a'], verify: true }), ['"verify"']],
  ['options among it', () => ({ texts: ['a'], maxRatio: 5 }), ['"maxRatio"']],
  ['two things', () => ({ texts: ['a'], files: ['b'] }), ['files and texts']],
  ['a record', () => ({ text: 'a', label: 'b' }), ['"text"']],
  ['texts that are one string', () => ({ texts: 'the cat sat' }), ["not 'the cat sat'", '{ texts: [...] }']],
  ['pieces that are one string', () => ({ pieces: 'the cat sat' }), ["not 'the cat sat'", '{ pieces: ... }']],
  ['files that are one string', () => ({ files: 'x.txt' }), ["not 'x.txt'", "{ files: ['x.txt'] }"]],
  ['files that are iterated', () => ({ files: new Set(['x.txt']) }), ["{ files: ['x.txt'] }"]],
  ['files that are bytes', () => ({ files: [Buffer.from('x')] }), ['file 0']],
  ['texts that are bytes', () => ({ texts: Buffer.from('abc') }), ['{ texts: [...] }']],
  ['texts of bytes', () => ({ texts: [Buffer.from('abc')] }), ['text 0 must be a string']],
  ['texts of numbers', () => ({ texts: ['a', 5] }), ['text 1 must be a string, not 5']],
  ['texts that are words', () => ({ texts: [['the', 'cat']] }), ['text 0 must be a string']],
  ['texts with a hole', () => ({ texts: ['a', , 'b'] }), ['text 1 must be a string']], // eslint-disable-line no-sparse-arrays
  ['texts that a stream cuts', () => ({ texts: createReadStream(__filename, 'utf8') }), ['{ pieces: stream }']],
  ['pieces of bytes', () => ({ pieces: stream() }), ["createReadStream(path, 'utf8')"]],
  ['texts that are records', () => ({ texts: [{ text: 'a' }] }), ['text 0 must be a string']],
  ['ids that are text', () => ({ ids: 'abc' }), ["not 'abc'"]],
  ['ids that are strings', () => ({ ids: ['a'] }), ["id 'a'"]],
  ['ids that are negative', () => ({ ids: [[1], [2, -1]] }), ['list 1: id -1 at [1]']],
  ['ids three deep', () => ({ ids: [[[1]]] }), ['list 0', '2 dimensions']],
  ['ids that are numbers and strings', () => [1, 'a'], ["id 'a'"]],
]

for (const [reader, read] of READERS) {
  test(`${reader}: ambiguous values are rejected at once with the form that was meant`, (t) => {
    for (const [name, source, parts] of MISTAKABLE) {
      const made = source()
      if (made instanceof Readable) made.on('error', () => {}).destroy()
      t.truthy(
        refuses(t, () => read(made), 'USAGE', reader, ...parts),
        name,
      )
    }
  })
}

test('a bare string is a text for createDataLoader only, and never a path', (t) => {
  for (const [reader, read] of READERS.slice(0, 3)) {
    refuses(t, () => read('x.txt'), 'USAGE', reader, "{ texts: ['x.txt'] } or { files: ['x.txt'] }")
    refuses(t, () => read('the cat sat'), 'USAGE', reader, "{ texts: ['the cat sat'] }")
    refuses(t, () => read(''), 'USAGE', reader, '{ texts:')
  }
  const load = (text: string) => createDataLoader(text, { maxLength: 1 })
  for (const path of [
    'x.txt',
    '/data/x.txt.gz',
    './my books/x.txt',
    '../x.md',
    '~/x y.jsonl',
    'C:\\my books\\x.csv',
    'C:/x.zst',
    'some/where/in/folders.txt',
    'Käse.html',
    __filename,
  ]) {
    refuses(t, () => load(path), 'USAGE', 'createDataLoader', 'looks like a path', '{ files:', '{ texts:')
  }
  for (const text of [
    'the cat sat',
    'the end.',
    'see x.txt',
    'x.txt\nis a file.txt',
    'a... b',
    '3.14',
    'und so weiter usw.',
    '/ or a slash',
    'x.',
    '1.5',
    `${'x'.repeat(5000)}.txt`,
    ' x.txt',
  ]) {
    t.deepEqual(load(text).ids, gpt2.encode(text), text)
  }
  t.deepEqual(createDataLoader({ texts: ['x.txt'] }, { maxLength: 1 }).ids, gpt2.encode('x.txt'))
})

test('texts give the ids of each text in every form', async (t) => {
  const expected = TEXTS.flatMap((text) => [...gpt2.encode(text)])
  t.notDeepEqual(expected, [...gpt2.encode(TEXTS.join(''))])
  const forms = () => [
    TEXTS,
    Object.freeze([...TEXTS]),
    new Set(TEXTS),
    some(TEXTS),
    TEXTS.values(),
    runInNewContext(JSON.stringify(TEXTS)) as string[],
    new Map(TEXTS.map((text, i) => [i, text])).values(),
  ]
  for (const texts of [...forms(), late(TEXTS), Readable.from(TEXTS)])
    t.deepEqual(await all(streamIds({ texts })), expected)
  for (const texts of forms()) t.deepEqual([...createDataLoader({ texts }, { maxLength: 1 }).ids], expected)
  const once = new Set(TEXTS)
  const again = streamIds({ texts: once })
  t.deepEqual([await all(again), await all(again)], [expected, expected])
  // Half of a surrogate pair at the end of a text does not join with the next text.
  t.deepEqual(await all(streamIds({ texts: ['a\ud83d', '\udc0bb'] })), [
    ...gpt2.encode('a\ufffd'),
    ...gpt2.encode('\ufffdb'),
  ])
})

test('the other forms give the same ids to streams and loaders', async (t) => {
  const text = 'One two three, '.repeat(20)
  const expected = [...gpt2.encode(text)]
  const path = file('text.txt', text)
  const packed = file('text.txt.gz', gzipSync(text))
  const pieces = ['One tw', ...text.slice(6).match(/[^]{1,7}/g)!]
  const forms: (TextSource & LoaderSource)[] = [
    { files: [path] },
    { files: [packed] },
    { pieces },
    { pieces: some(pieces) },
    { texts: [text] },
    { ids: expected },
    { ids: expected.map(BigInt) },
    expected,
    Uint32Array.from(expected),
    Int32Array.from(expected),
    BigInt64Array.from(expected, BigInt),
    Uint16Array.from(expected),
    { ids: Uint16Array.from(expected) },
    { ids: [expected.slice(0, 9), [], Uint16Array.from(expected.slice(9))] },
    tensor(expected, { dtype: 'int32' }),
    { ids: tensor(expected, { dtype: 'int64' }) },
    { ids: runInNewContext(`Uint32Array.of(${expected.join()})`) as Uint32Array },
  ]
  const windows = { maxLength: 4, stride: 4, batchSize: 3, dropLast: false }
  const rows = createDataLoader(text, { ...windows, shuffle: false })
  for (const source of forms) {
    const again = () => ('pieces' in source && !Array.isArray(source.pieces) ? { pieces: some(pieces) } : source)
    t.deepEqual(await all(streamIds(again())), expected)
    t.deepEqual([...createDataLoader(again(), { maxLength: 1 }).ids].map(Number), expected)
    const found: unknown[] = []
    for await (const { inputs, targets } of streamBatches(again(), windows))
      found.push([inputs.toArray(), targets.toArray()])
    t.deepEqual(
      found,
      [...rows].map(({ inputs, targets }) => [inputs.toArray(), targets.toArray()]),
    )
  }
  t.deepEqual(await all(streamIds(createReadStream(path, 'utf8'))), expected)
  t.deepEqual(await all(streamIds(createReadStream(path).setEncoding('utf8'))), expected)
  t.deepEqual(
    await all(streamIds({ pieces: createReadStream(path, { encoding: 'utf8', highWaterMark: 5 }) })),
    expected,
  )
  t.deepEqual(await all(streamIds({ ids: arange(6, { dtype: 'int32' }).reshape(2, 3) })), [0, 1, 2, 3, 4, 5])
  t.deepEqual(await all(streamIds({ ids: Buffer.from([5, 6]) })), [5, 6])
  t.deepEqual([...createDataLoader({ ids: Buffer.from([5, 6]) }, { maxLength: 1 }).ids], [5, 6])
})

test('chunks of ids belong to the caller', async (t) => {
  const ids = Uint32Array.of(1, 2, 3)
  for await (const chunk of streamIds({ ids })) chunk.fill(9)
  t.deepEqual([...ids], [1, 2, 3])
  const table = tensor([1, 2, 3], { dtype: 'int32' })
  const loader = createDataLoader(table, { maxLength: 1, shuffle: false })
  table.dispose()
  t.deepEqual([...loader][0]?.inputs.toArray() ?? [...loader.ids], [1, 2, 3])
})

test('createDataLoader reads whole files synchronously', async (t) => {
  const load = (files: string[], options: LoaderOptions = {}) => [
    ...createDataLoader({ files }, { maxLength: 1, ...options }).ids,
  ]
  const texts = ['It is', "n't ", '', ' the end\n\n', 'x'.repeat(5000)]
  const paths = texts.map((text, i) => file(`whole-${i}.txt`, text))
  t.deepEqual(
    load(paths),
    texts.flatMap((text) => [...gpt2.encode(text)]),
  )
  const long = 'It was the best of times.\n'.repeat(100_000)
  t.deepEqual(load([file('long.txt.gz', gzipSync(long))]), [...gpt2.encode(long)])
  const bomb = file('bomb.gz', gzipSync(Buffer.alloc(20 << 20, 'a')))
  const refused = refuses(t, () => load([bomb], { maxRatio: 2 }), 'FORMAT', bomb, 'maxRatio')
  t.is(refused.path, bomb)
  const bad = file('bad.txt', Buffer.from([0x61, 0xff]))
  refuses(t, () => load([paths[0], bad]), 'FORMAT', bad, 'at byte 1', 'invalidUtf8')
  t.deepEqual(load([bad], { invalidUtf8: 'replace' }), [...gpt2.encode('a\ufffd')])
  refuses(t, () => load([join(folder, 'none.txt')]), 'FILE', 'none.txt')
  refuses(t, () => load([folder]), 'FILE', folder)
  const special = file('special.txt', 'a <|endoftext|> b')
  refuses(t, () => load([special]), 'USAGE', special, '<|endoftext|>')
  t.true(load([special], { allowedSpecial: 'all' }).includes(50256))
  refuses(t, () => load(paths, { invalidUtf8: 'ignore' as 'throw' }), 'USAGE', 'invalidUtf8')
  refuses(t, () => load(paths, { maxRatio: 0 }), 'USAGE', 'maxRatio')
  refuses(t, () => load([]), 'USAGE', '0 ids')
  for (const later of [{ texts: late(['a']) }, { pieces: late(['a']) }, createReadStream(paths[0], 'utf8')]) {
    refuses(t, () => createDataLoader(later as never), 'USAGE', 'from an async iterable', 'streamBatches')
  }
  if (process.platform !== 'win32') {
    const { stdout } = await runScript('lifetime/loader-pipe.js', [join(folder, 'pipe')])
    t.regex(stdout, /^FILE .*it is a pipe/)
  }
})

test('words do not continue from one text to the next', async (t) => {
  const expected = ['a', 'cat', 'dog', 'mat', 'on', 'sat', 'the']
  for (const corpus of [
    { texts: TEXTS },
    { texts: new Set(TEXTS) },
    { texts: some(TEXTS) },
    { texts: late(TEXTS) },
    { files: TEXTS.map((text, i) => file(`words-${i}.txt`, text)) },
  ]) {
    t.deepEqual(words(await learned(corpus)), expected)
  }
  t.deepEqual(words(await learned({ pieces: ['the c', 'at s', 'at'] })), ['cat', 'sat', 'the'])
  t.deepEqual(words(await learned({ pieces: ['a\ud83d', '\udc0b b\ud83d'] })), ['a🐋', 'b\ufffd'])
  t.deepEqual(
    words(await learned(createReadStream(file('stream.txt', 'the cat\nsat'), { encoding: 'utf8', highWaterMark: 3 }))),
    ['cat', 'sat', 'the'],
  )
})

test('sentences of words, tokens and ids do not continue from one text to the next', async (t) => {
  const texts = ['a b a b', 'c d c d', 'a c']
  const options: TrainerOptions = { objective: 'cbow', dim: 6, epochs: 3, minCount: 1, sample: 0 }
  const whole = bits(await learned({ pieces: [texts.join('\n')] }, options))
  t.deepEqual(bits(await learned({ texts }, options)), whole)
  t.deepEqual(bits(await learned({ tokens: texts.map((text) => text.split(' ')) }, options)), whole)
  t.notDeepEqual(bits(await learned({ pieces: [texts.join(' ')] }, options)), whole)
  const tokenizer = gpt2
  const lists = texts.map((text) => tokenizer.encode(text))
  const byIds = bits(await learned({ ids: lists }, { ...options, vocabSize: tokenizer.vocabSize }))
  const flat = bits(
    await learned({ ids: lists.flatMap((ids) => [...ids]) }, { ...options, vocabSize: tokenizer.vocabSize }),
  )
  t.notDeepEqual(flat, byIds)
  const files = texts.map((text, i) => file(`sentences-${i}.txt`, text))
  for (const corpus of [{ texts }, { texts: late(texts) }, { files }])
    t.deepEqual(bits(await learned(corpus, { ...options, tokenizer })), byIds)
})

test('pre-split words stay as they are', async (t) => {
  const tokens = [['New York', 'is', '__label__big'], ['a\nb', ' c ', '\u3000'], [], ['New York', 'x'.repeat(70_000)]]
  const expected = [...new Set(tokens.flat())].sort()
  for (const given of [tokens, new Set(tokens), some(tokens), late(tokens)])
    t.deepEqual(words(await learned({ tokens: given })), expected)
  t.deepEqual(words(await learned({ tokens: [['a\ud800']] })), ['a\ufffd'])
  t.is(
    (await learned({ tokens: [['a', 'b', 'a', 'b', 'c']] }, { objective: 'next-token', dim: 4, contextLength: 2 }))
      .objective,
    'next-token',
  )
  const says = (given: unknown, ...parts: string[]) =>
    refuses(t, () => new Trainer({ tokens: given } as Corpus, PAIRS), 'USAGE', 'Trainer', ...parts)
  says('the cat', "not 'the cat'", '{ tokens: [[...], ...] }')
  says(['the cat sat'], "sentence 0 must be an array of words, not 'the cat sat'")
  says([['a'], ['b', 5]], 'word 1 of sentence 1 must be a string')
  says([['a'], ['b', '']], 'word 1 of sentence 1 must not be empty')
  says([['a', , 'b']], 'word 1 of sentence 0') // eslint-disable-line no-sparse-arrays
  refuses(t, () => new Trainer([['the', 'cat']] as never, PAIRS), 'USAGE', '{ tokens: [[...], ...] }')
  refuses(t, () => new Trainer({ tokens }, { ...PAIRS, tokenizer: gpt2 }), 'USAGE', 'words already', 'tokenizer')
  await t.throwsAsync(learned({ tokens: some([['a'], 'b']) }), {
    instanceOf: UsageError,
    message: /sentence 1 must be an array of words/,
  })
  refuses(t, () => streamIds({ tokens } as never), 'USAGE', 'have no ids', '{ texts: [...] }')
  refuses(t, () => createDataLoader({ tokens } as never), 'USAGE', 'have no ids')
})

test('sequences of ids in a corpus are separate and are checked', async (t) => {
  const options: TrainerOptions = { ...PAIRS, vocabSize: 5 }
  t.is((await learned([1, 2, 3, 2, 1], options)).counts[2], 2)
  t.is((await learned({ ids: new BigInt64Array([1n, 2n, 2n]) }, options)).counts[2], 2)
  const at = (ids: unknown) =>
    t.throwsAsync<TokenIndexError>(learned({ ids }, options), { instanceOf: TokenIndexError })
  t.deepEqual((await at([1, 2, 9])).position, [2])
  t.deepEqual((await at([[1, 2], [], [3, 9, 9]])).position, [2, 1])
  t.is((await at([[1, 2], [], [3, 9, 9]])).count, 2)
  t.deepEqual(
    (
      await at(
        tensor(
          [
            [1, 2],
            [9, 3],
          ],
          { dtype: 'int32' },
        ),
      )
    ).position,
    [1, 0],
  )
  refuses(t, () => new Trainer([1, 2], PAIRS), 'USAGE', 'vocabSize')
  refuses(t, () => new Trainer([-1], options), 'USAGE', 'id -1 at [0]')
  refuses(t, () => new Trainer(new Float32Array(3) as never, options), 'DTYPE', 'Float32Array')
})

test('sources that an objective cannot learn from are rejected at once', async (t) => {
  const classify = (corpus: unknown) => () => new Trainer(corpus as Corpus, { objective: 'classify' })
  refuses(
    t,
    classify({ texts: ['a'] }),
    'USAGE',
    'texts have no classes',
    '{ examples: [{ text, label }, ...] }',
    '__label__yes',
  )
  refuses(t, classify({ tokens: [['a']] }), 'USAGE', '{ examples:')
  refuses(t, classify([1, 2]), 'USAGE', '{ examples:')
  refuses(t, () => new Trainer([{ text: 'a', label: 'b' }], PAIRS), 'USAGE', 'objective "classify"', '{ texts: [...] }')
  refuses(t, () => streamIds([{ text: 'a', label: 'b' }] as never), 'USAGE', 'map(({ text }) => text)')
  refuses(t, () => createDataLoader({ examples: [] } as never), 'USAGE', 'Trainer')
  await t.throwsAsync(Trainer.resume(join(folder, 'none'), ['a'] as never), {
    instanceOf: UsageError,
    message: /^Trainer.resume: strings could be texts or paths/,
  })
  await t.throwsAsync(Trainer.resume(join(folder, 'none'), { texts: ['a'] }), { instanceOf: FileError })
})

test('a bad element is an error when its turn comes, and the source is closed', async (t) => {
  let closed = 0
  async function* source(): AsyncGenerator<never> {
    try {
      yield 'good' as never
      yield 5 as never
    } finally {
      closed++
    }
  }
  await t.throwsAsync(all(streamIds({ texts: source() })), {
    instanceOf: UsageError,
    message: 'streamIds: text 1 must be a string, not 5',
  })
  await t.throwsAsync(learned({ texts: source() }), {
    instanceOf: UsageError,
    message: 'Trainer.run: text 1 must be a string, not 5',
  })
  await t.throwsAsync(learned({ texts: source() }, { ...PAIRS, tokenizer: gpt2 }), {
    message: 'Trainer.run: text 1 must be a string, not 5',
  })
  t.is(closed, 3)
  refuses(t, () => createDataLoader({ texts: some(['a', 5]) } as never), 'USAGE', 'text 1 must be a string, not 5')
  await t.throwsAsync(all(streamIds({ texts: ['a', 'b <|endoftext|>'] })), {
    instanceOf: UsageError,
    message: /^streamIds: text 1: .*<\|endoftext\|>/,
  })
  const own = new Error('of my own')
  await t.throwsAsync(
    learned({
      texts: {
        [Symbol.iterator]: () => {
          throw own
        },
      },
    }),
    { is: own },
  )
})

function aborts(t: ExecutionContext, corpus: Corpus): Promise<unknown> {
  const signal = AbortSignal.timeout(30)
  return t.throwsAsync(new Trainer(corpus, PAIRS).run({ signal }), { code: 'ABORTED' })
}

test('a signal is heard while texts are collected', async (t) => {
  function* endless(): Generator<string> {
    for (let i = 0; ; i++) yield `word ${i % 100}`
  }
  async function* never(): AsyncGenerator<string> {
    yield 'a'
    await new Promise(() => {})
  }
  await aborts(t, { texts: endless() })
  await aborts(t, { pieces: never() })
  await aborts(t, { texts: never() })
})
