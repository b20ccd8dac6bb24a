// Shards of vectors: the same bytes after kills and by any number of workers, and what is refused.

import test from 'ava'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  AbortedError,
  embedShards,
  FormatError,
  loadNpy,
  loadSafetensors,
  tensor,
  UsageError,
  verifyShards,
  type EmbedShardsOptions,
  type AsyncEmbedder,
} from '../../index.js'
import { contents } from '../support/contents.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = () => mkdtempSync(join(base, 'x-'))

/** Gives each text its length and the sum of its codes. */
const embedder: AsyncEmbedder = {
  dim: 2,
  embedAsync: async (texts) =>
    tensor(
      texts.map((text) => [text.length, [...text].reduce((sum, char) => sum + char.codePointAt(0)!, 0)]),
      { dtype: 'float32' },
    ),
}
const options = { embedder, model: 'm1', shardRows: 7 } satisfies EmbedShardsOptions

const texts = Array.from({ length: 100 }, (_, i) => `text ${i} ${'é'.repeat(i % 13)}`)
const rows = texts.map((text) => [text.length, [...text].reduce((sum, char) => sum + char.codePointAt(0)!, 0)])

function corpus(): string[] {
  const folder = fresh()
  const [a, b, c] = ['a.txt', 'b.jsonl', 'c.txt.gz'].map((name) => join(folder, name))
  writeFileSync(a, texts.slice(0, 40).join('\n'))
  writeFileSync(
    b,
    texts
      .slice(40, 80)
      .map((text, i) => JSON.stringify({ id: `b${i}`, text }))
      .join('\n'),
  )
  writeFileSync(c, gzipSync(`${texts.slice(80).join('\r\n')}\r\n`))
  return [a, b, c]
}

/** All rows, in the order of the shards that the manifest names. */
function rowsIn(folder: string, names: readonly string[]): number[][] {
  return names.flatMap((name) => {
    const path = join(folder, name)
    const vectors = name.endsWith('.npy') ? loadNpy(path) : loadSafetensors(path).get('vectors')!
    return vectors.toArray() as number[][]
  })
}

test('a run gives shards of so many rows, with ids and sources', async (t) => {
  const folder = join(fresh(), 'out')
  const files = corpus()
  const manifest = await embedShards(folder, files, options)
  t.is(manifest.rows, 100)
  t.deepEqual(
    manifest.shards.map((shard) => shard.rows),
    [...Array<number>(14).fill(7), 2],
  )
  t.deepEqual(
    rowsIn(
      folder,
      manifest.shards.map(({ name }) => name),
    ),
    rows,
  )
  t.deepEqual(
    manifest.shards[5].sources.map(({ file, records }) => [file, records]),
    [
      [files[0], [35, 40]],
      [files[1], [0, 2]],
    ],
  )
  t.deepEqual(JSON.parse(readFileSync(join(folder, 'shard-00005.ids.json'), 'utf8')), [
    null,
    null,
    null,
    null,
    null,
    'b0',
    'b1',
  ])
  t.is(manifest.shards[0].ids, null)
  t.deepEqual(await verifyShards(folder), manifest)
  t.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  )
})

test('a folder that was begun is completed, with the same bytes', async (t) => {
  const files = corpus()
  const clean = join(fresh(), 'out')
  await embedShards(clean, files, options)
  const begun = join(fresh(), 'out')
  await embedShards(begun, files, options)
  for (const name of ['manifest.json', 'shard-00003.safetensors', 'shard-00014.safetensors', 'shard-00006.ids.json'])
    rmSync(join(begun, name))
  rmSync(join(begun, 'shard-00006.safetensors'))
  const left = ['.shard-00003.1-x.part.safetensors', '.tokenbed-left.part']
  for (const name of left) {
    writeFileSync(join(begun, name), 'left by a killed process')
    utimesSync(join(begun, name), 0, 0)
  }
  await t.throwsAsync(embedShards(begun, files, options), { instanceOf: UsageError, message: /was begun already/ })
  await embedShards(begun, files, { ...options, resume: true })
  t.deepEqual(contents(begun), contents(clean))
  const has = (name: string) => readdirSync(begun).includes(name)
  // Windows does not say whether another process writes a file.
  t.deepEqual(left.map(has), [false, process.platform === 'win32'])
})

test('what another worker left while it named a small file is removed', async (t) => {
  const [folder, files] = [join(fresh(), 'out'), corpus()]
  const work = (index: number) => embedShards(folder, files, { ...options, shard: { index, count: 2 }, resume: true })
  await work(1)
  for (const name of ['.part-1-of-2.json.7-x.part', '.plan.json.7-x.part']) writeFileSync(join(folder, name), '{')
  await work(0)
  t.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  )
  await t.notThrowsAsync(verifyShards(folder))
})

test('any number of workers give each record once', async (t) => {
  const files = corpus()
  for (const count of [2, 3, 7, 50]) {
    const folder = join(fresh(), 'out')
    const order = Array.from({ length: count }, (_, index) => index).reverse()
    let last
    for (const index of order) last = await embedShards(folder, files, { ...options, shard: { index, count } })
    const manifest = await verifyShards(folder)
    t.deepEqual(last, manifest)
    const found = rowsIn(
      folder,
      manifest.shards.map(({ name }) => name),
    )
    // A compressed file goes to one worker as a whole, so only sets are compared.
    t.deepEqual(found.map(String).sort(), rows.map(String).sort(), `${count}`)
  }
})

test('a CSV is not cut, and an npy holds the vectors alone', async (t) => {
  const path = join(fresh(), 'a.csv')
  writeFileSync(path, `id,text\n${texts.map((text, i) => `${i},"${text}\n"`).join('\n')}`)
  const folder = join(fresh(), 'out')
  for (const index of [0, 1, 2]) {
    const shard = { index, count: 3 }
    await embedShards(folder, [path], { ...options, output: 'npy', dtype: 'float32', shard, shardRows: 1000 })
  }
  const { shards } = await verifyShards(folder)
  t.deepEqual(
    shards.map(({ name, rows }) => [name, rows]),
    [['shard-0-of-3-00000.npy', 100]],
  )
  t.deepEqual(
    rowsIn(folder, [shards[0].name]),
    rows.map(([length, sum]) => [length + 1, sum + 10]),
  )
})

test('what does not belong to the plan is refused', async (t) => {
  const files = corpus()
  const folder = join(fresh(), 'out')
  await embedShards(folder, files, options)
  const again = { ...options, resume: true }
  await t.throwsAsync(embedShards(folder, files, { ...again, model: 'm2' }), {
    instanceOf: UsageError,
    message: /begun with another plan \(other model\)/,
  })
  await t.throwsAsync(embedShards(folder, files.slice(1), { ...again, shardRows: 8 }), {
    message: /\(other files, shardRows\)/,
  })
  rmSync(join(folder, 'manifest.json'))
  await t.throwsAsync(verifyShards(folder), { instanceOf: FormatError, message: /manifest.json: it is missing/ })
  await embedShards(folder, files, again)
  const shard = join(folder, 'shard-00002.safetensors')
  truncateSync(shard, 50)
  const changed = await t.throwsAsync(verifyShards(folder), { instanceOf: FormatError, message: /it was changed/ })
  t.is(changed.path, shard)
  rmSync(shard)
  await t.throwsAsync(verifyShards(folder), { message: /is missing, which the manifest names/ })
  for (const [bad, message] of [
    [{ shardRows: 0 }, /shardRows/],
    [{ shard: { index: 2, count: 2 } }, /shard.index/],
    [{ output: 'arrow' }, /output must be one of/],
    [{ dim: 3 }, /dim must be/],
    [{ rows: 5 }, /has no option "rows"/],
    [{ model: 5 }, /model must be a string/],
  ] as const) {
    await t.throwsAsync(embedShards(join(fresh(), 'out'), files, { ...options, ...bad } as never), {
      instanceOf: UsageError,
      message,
    })
  }
  await t.throwsAsync(embedShards(join(fresh(), 'out'), [fresh()], options), { message: /is not a regular file/ })
})

test('a record without text ends the work, and the shards before it stay', async (t) => {
  const path = join(fresh(), 'a.jsonl')
  writeFileSync(path, [...texts.map((text) => JSON.stringify({ text })), '{"id": "bad"}'].join('\n'))
  const folder = join(fresh(), 'out')
  await t.throwsAsync(embedShards(folder, [path], options), {
    instanceOf: FormatError,
    message: `${path}: the record at line 101: it has no field "text"`,
  })
  t.is(readdirSync(folder).filter((name) => name.endsWith('.safetensors')).length, 14)
  // A worker whose part begins further on counts from there, and says so.
  const second = { ...options, shard: { index: 1, count: 2 } }
  const error = await t.throwsAsync<FormatError>(embedShards(join(fresh(), 'out'), [path], second))
  const [, line, byte] = /the record at line (\d+) of the part that begins at byte (\d+): it has no/.exec(
    error.message,
  )!
  const before = readFileSync(path).subarray(0, error.offset)
  t.is(String(readFileSync(path).subarray(error.offset)), '{"id": "bad"}')
  t.is(before.subarray(Number(byte)).filter((code) => code === 10).length, Number(line) - 1)
  const controller = new AbortController()
  const aborted = embedShards(join(fresh(), 'out'), [path], {
    ...options,
    signal: controller.signal,
    onProgress: ({ shards }) => shards === 3 && controller.abort(),
  })
  await t.throwsAsync(aborted, { instanceOf: AbortedError })
})

test('a failure in completing a shard ends the work while the next shard is embedded', async (t) => {
  const path = join(fresh(), 'lines.txt')
  const lines = Array.from({ length: 16_000 }, (_, i) => `${i} ${'x'.repeat(300)}`)
  writeFileSync(path, lines.join('\n'))
  let told!: () => void
  const isTold = new Promise<void>((resolve) => (told = resolve))
  let count = 0
  const waiting: AsyncEmbedder = {
    dim: 2,
    embedAsync: async (texts) => {
      count += texts.length
      if (count > 8000) await isTold
      return embedder.embedAsync(texts)
    },
  }
  const onProgress = () => {
    told()
    throw new Error('enough')
  }
  const work = embedShards(join(fresh(), 'out'), [path], {
    embedder: waiting,
    model: 'm1',
    shardRows: 5000,
    onProgress,
  })
  await t.throwsAsync(work, { message: 'enough' })
  t.true(count > 8000 && count < 16_000, `${count}`)
})

test('killed at any moment and resumed, the bytes are those of one run', async (t) => {
  const files = corpus()
  const clean = join(fresh(), 'out')
  await embedShards(clean, files, options)
  const folder = join(fresh(), 'out')
  const script = `const { embedShards, tensor } = require(${JSON.stringify(join(root, 'dist/index.js'))})
const sum = (text) => [...text].reduce((sum, char) => sum + char.codePointAt(0), 0)
const embedder = { dim: 2, embedAsync: async (texts) => {
  await new Promise((resolve) => setTimeout(resolve, 3))
  return tensor(texts.map((text) => [text.length, sum(text)]), { dtype: 'float32' })
} }
console.log('ready')
embedShards(${JSON.stringify(folder)}, ${JSON.stringify(files)}, { embedder, model: 'm1', shardRows: 7, resume: true })`
  let kills = 0
  for (let run = 0; run < 8; run++) {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), 4 + run * 9))
    const signal = await new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)))
    if (signal === 'SIGKILL') kills++
  }
  t.true(kills > 0)
  await embedShards(folder, files, { ...options, resume: true })
  t.deepEqual(contents(folder), contents(clean))
})
