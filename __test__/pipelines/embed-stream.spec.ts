// Streams of vectors: order, bounds, errors, signals, and the forms of web and Node streams.

import test from 'ava'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  AbortedError,
  embedStream,
  embedTransform,
  randn,
  records,
  saveTokens,
  streamIds,
  tensor,
  TextEmbedder,
  Tokenizer,
  UsageError,
  zeros,
  type AsyncEmbedder,
  type TextRecord,
  type VectorBatch,
} from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

/** Gives each text its length and its first code; it counts what is asked at a time, and fails for texts with `!`. */
class Measuring implements AsyncEmbedder {
  readonly dim = 2
  readonly calls: number[] = []
  running = 0
  most = 0

  async embedAsync(texts: readonly string[], { signal }: { signal?: AbortSignal } = {}) {
    this.calls.push(texts.length)
    this.most = Math.max(this.most, ++this.running)
    await new Promise((resolve) => setTimeout(resolve, 2))
    this.running--
    if (signal?.aborted) throw new AbortedError('aborted')
    if (texts.some((text) => text.includes('!'))) throw new UsageError('a text has !')
    return tensor(
      texts.map((text) => [text.length, text.codePointAt(0) ?? 0]),
      { dtype: 'float32' },
    )
  }
}

async function all(from: AsyncIterable<VectorBatch>): Promise<VectorBatch[]> {
  const list: VectorBatch[] = []
  for await (const batch of from) list.push(batch)
  return list
}

const rows = (batches: VectorBatch[]) => batches.flatMap(({ vectors }) => vectors.toArray() as number[][])
const ids = (batches: VectorBatch[]) => batches.flatMap((batch) => batch.ids)
const words = Array.from({ length: 100 }, (_, i) => 'abcdefgh'.slice(0, 1 + (i % 8)))
const expected = words.map((word) => [word.length, 97])

test('every form of source gives its vectors in order', async (t) => {
  const embedder = new Measuring()
  const path = join(mkdtempSync(join(temporaryFolder(), 'x-')), 'a.jsonl')
  writeFileSync(path, words.map((text, i) => JSON.stringify({ id: `r${i}`, text })).join('\n'))
  async function* later() {
    for (const text of words) yield text
  }
  for (const source of [
    { texts: words },
    words,
    later(),
    { texts: later() },
    new Set(words.map((text) => ({ text }))),
  ]) {
    const batches = await all(embedStream(source, { embedder, batchTokens: 20 }))
    t.deepEqual(rows(batches), expected)
    t.deepEqual(
      ids(batches),
      words.map((_, i) => i),
    )
    t.true(batches.length > 3)
  }
  for (const source of [{ files: [path] }, records(path)]) {
    const batches = await all(embedStream(source, { embedder, batchTokens: 20 }))
    t.deepEqual(rows(batches), expected)
    t.is(ids(batches)[99], 'r99')
  }
  t.deepEqual(await all(embedStream([], { embedder })), [])
})

test('the documents of a folder of ids have the vectors of their texts', async (t) => {
  const texts = ['the white whale', 'naïve 🐳  sea', '', ' a\n\nb ']
  const gpt2 = Tokenizer.load('gpt2')
  const embedder = new TextEmbedder({ tokenizer: gpt2, table: randn([50257, 4]) })
  for (const separator of [undefined, '<|endoftext|>']) {
    const folder = join(mkdtempSync(join(temporaryFolder(), 'ids-')), 'corpus')
    await saveTokens(folder, { texts }, separator === undefined ? {} : { separator })
    const batches = await all(embedStream({ folder }, { embedder, batchTokens: 5 }))
    t.deepEqual(ids(batches), [0, 1, 2, 3])
    t.deepEqual(rows(batches), embedder.embed(texts).toArray())
    t.throws(() => embedStream({ folder }, { embedder: new Measuring() }), { message: /must have a tokenizer/ })
    const other = new TextEmbedder({ tokenizer: Tokenizer.load('cl100k_base'), table: zeros([100277, 1]) })
    t.throws(() => embedStream({ folder }, { embedder: other }), { message: /was encoded by gpt2/ })
  }
  // A tokenizer that does not give back what it read.
  const lossy = TextEmbedder.load(join(root, 'testdata/golden/embed/m2v-f32'))
  const folder = join(mkdtempSync(join(temporaryFolder(), 'ids-')), 'corpus')
  await saveTokens(folder, { texts: ['the', 'the white whale'] }, { tokenizer: lossy.tokenizer })
  const [{ ids: kept, errors }] = await all(embedStream({ folder }, { embedder: lossy, onError: 'collect' }))
  t.deepEqual([kept, errors.map(({ id }) => id)], [[0], [1]])
  t.regex(errors[0].error.message, /document 1 has other ids than the text/)
})

test('batches are bounded by tokens and bytes, and a record is never divided', async (t) => {
  const embedder = new Measuring()
  await all(embedStream(['a'.repeat(39), 'b'.repeat(8), 'c', 'd'], { embedder, batchTokens: 4 }))
  t.deepEqual(embedder.calls, [1, 3])
  const small = new Measuring()
  await all(embedStream(words, { embedder: small, maxBytes: 100 }))
  t.true(small.calls.every((count) => count <= 10))
  t.true(small.most <= 2)
})

test('a slow consumer stops the source', async (t) => {
  const embedder = new Measuring()
  let read = 0
  function* endless() {
    for (;;) {
      read++
      yield 'word'
    }
  }
  let count = 0
  for await (const { vectors } of embedStream(endless(), { embedder, batchTokens: 10 })) {
    t.is(vectors.shape[0], 10)
    await new Promise((resolve) => setTimeout(resolve, 5))
    t.true(read <= (count + 4) * 10, `${read}`)
    if (++count === 20) break
  }
  t.true(embedder.most <= 3)
})

test('a bad record ends the stream, is left out, or is collected', async (t) => {
  const source: unknown[] = ['a', { id: 'x', text: 5 }, { id: 'y', text: 'bad!' }, 7, { id: 'z', text: 'c' }]
  const stream = (onError?: 'skip' | 'collect') =>
    embedStream(source as string[], { embedder: new Measuring(), ...(onError && { onError }) })
  const seen: VectorBatch[] = []
  await t.throwsAsync(
    async () => {
      for await (const batch of stream()) seen.push(batch)
    },
    {
      instanceOf: UsageError,
      message: "embedStream: record 'x': a record must be a string or { id, text }, but its text is 5",
    },
  )
  t.deepEqual(ids(seen), [0])
  const skipped = await all(stream('skip'))
  t.deepEqual(ids(skipped), [0, 'z'])
  t.deepEqual(rows(skipped), [
    [1, 97],
    [1, 99],
  ])
  t.deepEqual(skipped[0].errors, [])
  const [batch, ...others] = await all(stream('collect'))
  t.is(others.length, 0)
  t.deepEqual(batch.ids, [0, 'z'])
  t.deepEqual(
    batch.errors.map(({ id, error }) => [id, error.message]),
    [
      ['x', "embedStream: record 'x': a record must be a string or { id, text }, but its text is 5"],
      [3, 'embedStream: record 3: a record must be a string or { id, text }, but it is 7'],
      ['y', "embedStream: record 'y': a text has !"],
    ],
  )
  const [none] = await all(embedStream(['!'], { embedder: new Measuring(), onError: 'collect' }))
  t.deepEqual(none.vectors.shape, [0, 2])
})

test('a source that throws gives the batches before it first', async (t) => {
  function* failing() {
    yield 'a'
    yield 'b'
    throw new RangeError('mine')
  }
  const seen: VectorBatch[] = []
  await t.throwsAsync(
    async () => {
      for await (const batch of embedStream(failing(), { embedder: new Measuring() })) seen.push(batch)
    },
    { instanceOf: RangeError, message: 'mine' },
  )
  t.deepEqual(ids(seen), [0, 1])
})

test('a signal ends a stream that waits', async (t) => {
  const controller = new AbortController()
  async function* waiting() {
    yield 'a'
    await new Promise(() => {})
  }
  setTimeout(() => controller.abort(new Error('enough')), 10)
  const error = await t.throwsAsync(
    all(embedStream(waiting(), { embedder: new Measuring(), signal: controller.signal })),
    { instanceOf: AbortedError },
  )
  t.is((error.cause as Error).message, 'enough')
})

test('as a web stream and as a Node stream', async (t) => {
  const web = new ReadableStream<string>({
    start(controller) {
      for (const word of words) controller.enqueue(word)
      controller.close()
    },
  })
  const embedder = new Measuring()
  const piped = web.pipeThrough(embedTransform({ embedder, batchTokens: 20 })) as unknown as AsyncIterable<VectorBatch>
  t.deepEqual(rows(await all(piped)), expected)
  const node = Readable.from(words.map((text, i): TextRecord => ({ id: `n${i}`, text })))
  const batches = await all(node.pipe(embedTransform({ embedder, batchTokens: 20 }).node()))
  t.deepEqual(rows(batches), expected)
  t.is(ids(batches)[5], 'n5')
  const failing = Readable.from(['a', 'b!']).pipe(embedTransform({ embedder }).node())
  await t.throwsAsync(all(failing), { instanceOf: UsageError, message: 'embedTransform: record 1: a text has !' })
  const back = ReadableStream.from(embedStream(words, { embedder })) as unknown as AsyncIterable<VectorBatch>
  t.deepEqual(rows(await all(back)), expected)
  let count = 0
  for await (const chunk of ReadableStream.from(streamIds({ texts: words }))) count += chunk.length
  t.true(count >= 100)
})

test.serial('every batch is published on a diagnostics channel', async (t) => {
  const heard: { batch: number; texts: number; tokens: number; bytes: number; seconds: number }[] = []
  const listen = (message: unknown) => heard.push(message as (typeof heard)[0])
  subscribe('tokenbed:batch', listen)
  await all(embedStream(['12345678', 'b', 'c'], { embedder: new Measuring(), batchTokens: 2 }))
  unsubscribe('tokenbed:batch', listen)
  const mine = heard.filter(({ texts, bytes }) => bytes === texts * 8)
  t.deepEqual(
    mine.map(({ batch, texts, tokens, bytes }) => ({ batch, texts, tokens, bytes })),
    [
      { batch: 0, texts: 1, tokens: 2, bytes: 8 },
      { batch: 1, texts: 2, tokens: 2, bytes: 16 },
    ],
  )
  t.true(mine.every(({ seconds }) => seconds > 0 && seconds < 60))
})

test('sources and options are checked at the call', (t) => {
  const embedder = new Measuring()
  for (const [call, message] of [
    [() => embedStream('text' as never, { embedder }), /a string could be a text or a path/],
    [() => embedStream(5 as never, { embedder }), /the source must be/],
    [() => embedStream({ files: 'a' } as never, { embedder }), /files must be an array of paths/],
    [() => embedStream({ texts: 'a' } as never, { embedder }), /texts must be an array or an iterable/],
    [() => embedStream({ file: [] } as never, { embedder }), /the source must be/],
    [() => embedStream([], {} as never), /embedder must be a TextEmbedder/],
    [() => embedStream([], { embedder, batchTokens: 0 }), /batchTokens/],
    [() => embedStream([], { embedder, maxBytes: -1 }), /maxBytes/],
    [() => embedStream([], { embedder, onError: 'ignore' as never }), /onError must be one of/],
    [() => embedStream([], { embedder, dim: 3 }), /dim must be a whole number/],
    [() => embedStream([], { embedder, out: 5 } as never), /has no option "out"/],
    [() => embedTransform({ embedder, dtype: 'int4' as never }), /dtype must be one of/],
  ] as const) {
    t.throws(call, { instanceOf: UsageError, message })
  }
})
