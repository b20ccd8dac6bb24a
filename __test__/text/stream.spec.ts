import test from 'ava'
import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  createDataLoader,
  streamBatches,
  streamIds,
  Tokenizer,
  type Batch,
  type StreamBatchesOptions,
} from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const ENCODINGS = ['gpt2', 'cl100k_base', 'o200k_base'] as const
const gpt2 = Tokenizer.load('gpt2')

/** The text that testdata/golden/packed/make.py writes. */
const packed = Array.from({ length: 3000 }, (_, i) => `${i}: The whale, Wal, baleine, кит, 鯨, 🐋.\n`).join('')
/** A text of more than two chunks, with characters of every width. */
const long = packed.repeat(25)

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

async function all(source: AsyncIterable<Uint32Array>): Promise<number[]> {
  return (await collect(source)).flatMap((ids) => [...ids])
}

function* cut(text: string, sizes: number[]): Generator<string> {
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length]
    yield text.slice(at, at + size)
    at += size
  }
}

async function* late<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise((resolve) => setImmediate(resolve))
    yield item
  }
}

for (const name of ENCODINGS) {
  const tokenizer = Tokenizer.load(name)
  const text = packed.slice(0, 20_000)

  test(`${name}: pieces of any size give the ids of the whole text`, async (t) => {
    const expected = [...tokenizer.encode(text)]
    for (const sizes of [[1], [2], [7, 1, 13], [1000, 1], [0, 5], [100_000]]) {
      t.deepEqual(await all(streamIds({ pieces: cut(text, sizes) }, { tokenizer })), expected, `${sizes}`)
    }
    t.deepEqual(await all(streamIds({ pieces: late(cut(text, [333])) }, { tokenizer })), expected)
    t.deepEqual(await all(streamIds({ pieces: new Set([text]) }, { tokenizer })), expected)
  })

  test(`${name}: a file gives the ids of its text, whatever it is compressed with`, async (t) => {
    const expected = Buffer.from(tokenizer.encode(long).buffer)
    const same = async (path: string) =>
      Buffer.concat(
        (await collect(streamIds({ files: [path] }, { tokenizer }))).map((ids) => Buffer.from(ids.buffer)),
      ).equals(expected)
    t.true(await same(file(`${name}.txt`, long)))
    t.true(await same(file(`${name}.txt.gz`, gzipSync(long, { level: 1 }))))
    const members = [long.slice(0, 1), '', long.slice(1, 500_001), long.slice(500_001)].map((part) =>
      gzipSync(Buffer.from(part), { level: 1 }),
    )
    t.true(await same(file(`${name}-members.GZ`, Buffer.concat(members))))
  })
}

test('reads files that other programs compressed', async (t) => {
  const expected = [...gpt2.encode(packed)]
  for (const name of [
    'whole.txt.gz',
    'members.txt.gz',
    'whole.txt.zst',
    'unchecked.txt.zst',
    'frames.txt.zst',
    'long.txt.zst',
  ]) {
    t.deepEqual(await all(streamIds({ files: [join(root, 'testdata/golden/packed', name)] })), expected, name)
  }
})

test('ids come in chunks of about a megabyte of text', async (t) => {
  const chunks = await collect(streamIds({ files: [file('chunks.txt', long)] }))
  const bytes = chunks.map((ids) => Buffer.byteLength(gpt2.decode(ids)))
  t.is(chunks.length, Math.ceil(Buffer.byteLength(long) / 2 ** 20))
  t.true(
    bytes.every((n) => n < 1.1 * 2 ** 20),
    `${bytes}`,
  )
})

test('files come one after the other, each as a separate text', async (t) => {
  const texts = ['It is', "n't ", '', ' the end', '\n\n', 'x'.repeat(5000)]
  const paths = texts.map((text, i) => file(`part-${i}.txt`, text))
  t.deepEqual(
    await all(streamIds({ files: paths })),
    texts.flatMap((text) => [...gpt2.encode(text)]),
  )
  const many = Array.from({ length: 1000 }, (_, i) => paths[i % paths.length])
  t.is((await collect(streamIds({ files: many }))).length, 1, 'small files share a chunk')
})

test('every iteration over files starts again, and two do not affect each other', async (t) => {
  const path = file('again.txt', long)
  const source = streamIds({ files: [path] })
  const expected = gpt2.encode(long).length
  const length = async () => (await collect(source)).reduce((n, ids) => n + ids.length, 0)
  t.deepEqual([await length(), await length()], [expected, expected])
  t.deepEqual(await Promise.all([length(), length(), length()]), [expected, expected, expected])
})

test('a path is resolved when the stream is made', async (t) => {
  file('here.txt', 'here')
  const before = process.cwd()
  process.chdir(folder)
  const source = streamIds({ files: ['here.txt'] })
  process.chdir(before)
  t.deepEqual(await all(source), [...gpt2.encode('here')])
})

test('a byte order mark is kept, as in readFileSync', async (t) => {
  const path = file('bom.txt', '\ufeffa text')
  t.deepEqual(await all(streamIds({ files: [path] })), [...gpt2.encode(readFileSync(path, 'utf8'))])
})

test('invalid UTF-8 is decoded as in readFileSync and TextDecoder', async (t) => {
  const bad = Buffer.from('61ff62c380e69662f09f98ed a080 f4908080 c0af fe e6 96 f09f98'.replaceAll(' ', ''), 'hex')
  for (const before of [0, 1, 2 ** 20 - 1, 2 ** 20 - 3, 2 ** 20 - bad.length]) {
    const path = file('bad.txt', Buffer.concat([Buffer.alloc(before, 'x'), bad]))
    const expected = readFileSync(path, 'utf8')
    t.is(expected, new TextDecoder('utf-8', { ignoreBOM: true }).decode(readFileSync(path)))
    t.deepEqual(
      await all(streamIds({ files: [path] }, { invalidUtf8: 'replace' })),
      [...gpt2.encode(expected)],
      `after ${before}`,
    )
  }
})

test('surrogate pairs are joined across pieces, and a lone surrogate becomes U+FFFD', async (t) => {
  const text = 'a🐋b🐋🐋c'
  t.deepEqual(await all(streamIds({ pieces: cut(text, [1]) })), [...gpt2.encode(text)])
  t.deepEqual(await all(streamIds({ pieces: ['a\ud83d', '', '\udc0bb', '\ud83d'] })), [...gpt2.encode('a🐋b\ufffd')])
  t.deepEqual(await all(streamIds({ pieces: ['\udc0b', '\ud83d', '\ud83d', 'x', '\ud83d'] })), [
    ...gpt2.encode('\udc0b\ud83d\ud83dx\ud83d'),
  ])
})

test('special tokens are treated as in encode, even if they are cut', async (t) => {
  const text = 'One.<|endoftext|>Two.<|endof'
  const options = { allowedSpecial: 'all' } as const
  const expected = [...gpt2.encode(text, options)]
  t.true(expected.includes(50256))
  t.deepEqual(await all(streamIds({ pieces: cut(text, [1]) }, options)), expected)
  t.deepEqual(await all(streamIds({ files: [file('special.txt', text)] }, options)), expected)
  const plain = { disallowedSpecial: new Set<string>() }
  t.deepEqual(await all(streamIds({ pieces: cut(text, [3]) }, plain)), [...gpt2.encode(text, plain)])
})

test('accepts a stream of Node with an encoding', async (t) => {
  const path = file('node.txt', long)
  t.is(
    (await collect(streamIds(createReadStream(path, 'utf8')))).reduce((n, ids) => n + ids.length, 0),
    gpt2.encode(long).length,
  )
})

test('no ids give no chunks', async (t) => {
  const empty = file('empty.txt', '')
  const none = [
    { files: [] },
    { files: [empty] },
    { files: [empty, empty] },
    { pieces: [] },
    { pieces: ['', ''] },
    { texts: late([]) },
    { texts: ['', ''] },
    { ids: [] },
    { ids: [[], []] },
  ]
  for (const source of none) t.deepEqual(await collect(streamIds(source)), [])
  t.deepEqual(await collect(streamBatches({ files: [empty] })), [])
})

test('accepts a piece longer than a chunk', async (t) => {
  const text = 'a'.repeat(5 * 2 ** 20)
  const chunks = await collect(streamIds({ files: [file('a.txt', text)] }))
  t.is(
    chunks.reduce((n, ids) => n + ids.length, 0),
    gpt2.encode(text).length,
  )
})

const rows = ({ inputs, targets }: Batch) => [inputs.dtype, targets.dtype, inputs.toArray(), targets.toArray()]

/** The batches of createDataLoader; none if it rejects the text as too short. */
function loaded(ids: Uint32Array, options: StreamBatchesOptions): unknown[] {
  return ids.length > (options.maxLength ?? 256)
    ? [...createDataLoader(ids, { ...options, shuffle: false })].map(rows)
    : []
}

test('batches equal those of createDataLoader, for many sizes and any cut', async (t) => {
  let cases = 0
  for (const n of [0, 1, 2, 3, 5, 17, 40, 64]) {
    // Each character is one id.
    const text = Array.from({ length: n }, (_, i) => '!"#$%&()*+,-./:;<=>?@'[i % 21]).join('')
    for (const maxLength of [1, 2, 3, 7, 16]) {
      for (const stride of [1, 2, 3, 4, 5, 16, 17, 18, 100]) {
        for (const batchSize of [1, 2, 3, 8, 2 ** 40]) {
          for (const dropLast of [true, false]) {
            const options = { maxLength, stride, batchSize, dropLast }
            const expected = loaded(gpt2.encode(text), options)
            for (const sizes of [[1], [64]]) {
              cases++
              const found = (await collect(streamBatches({ pieces: cut(text, sizes) }, options))).map(rows)
              if (JSON.stringify(found) !== JSON.stringify(expected))
                t.deepEqual(found, expected, JSON.stringify({ n, ...options, sizes }))
            }
          }
        }
      }
    }
  }
  t.is(cases, 8 * 5 * 9 * 5 * 2 * 2)
})

test('batches of files equal those of createDataLoader over the concatenated ids', async (t) => {
  const texts = [long, 'short', '', packed]
  const paths = texts.map((text, i) => file(`batches-${i}.txt`, text))
  const ids = Uint32Array.from(texts.flatMap((text) => [...gpt2.encode(text)]))
  for (const options of [
    {},
    { batchSize: 16, maxLength: 1024, stride: 1024, dropLast: false },
    { maxLength: 32, stride: 5000 },
    { maxLength: 300_000, stride: 100_000, batchSize: 3 },
  ]) {
    const loader = createDataLoader(ids, { ...options, shuffle: false })
    const expected = loader[Symbol.iterator]()
    let count = 0
    for await (const { inputs, targets } of streamBatches({ files: paths }, options)) {
      const other = expected.next().value as Batch
      t.true(
        Buffer.from(inputs.data.buffer, inputs.data.byteOffset, inputs.data.byteLength).equals(
          Buffer.from(other.inputs.data.buffer, 0, inputs.data.byteLength),
        ),
      )
      t.true(
        Buffer.from(targets.data.buffer, targets.data.byteOffset, targets.data.byteLength).equals(
          Buffer.from(other.targets.data.buffer, 0, targets.data.byteLength),
        ),
      )
      count++
    }
    t.is(count, loader.length)
    t.true(expected.next().done)
  }
})

test('batches are fresh and belong to the caller', async (t) => {
  const [first, second, ...others] = await collect(
    streamBatches({ pieces: cut(packed.slice(0, 3000), [10]) }, { maxLength: 4, stride: 2, batchSize: 2 }),
  )
  const kept = second.inputs.toArray()
  first.inputs.data.fill(7 as never)
  first.targets.dispose()
  t.deepEqual(second.inputs.toArray(), kept)
  t.true(others.length > 100)
})

test('nothing is read before it is asked for', async (t) => {
  const seen: string[] = []
  let closed = false
  function* source(): Generator<string> {
    try {
      for (const piece of cut(packed, [40])) {
        seen.push(piece)
        yield piece
      }
    } finally {
      closed = true
    }
  }
  const stream = streamBatches({ pieces: source() }, { maxLength: 4, stride: 4, batchSize: 1 })
  t.is(seen.length, 0)
  const iterator = stream[Symbol.asyncIterator]()
  t.is(seen.length, 0)
  await iterator.next()
  t.is(seen.length, 1)
  await iterator.next()
  t.true(seen.length <= 2 && !closed)
  await iterator.return!()
  t.true(closed && seen.length <= 2)
  t.true((await iterator.next()).done)
})
