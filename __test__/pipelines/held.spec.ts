// Texts of files that stay outside of JavaScript: the same vectors, ids, errors and batches as texts in memory.

import test from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  embedShards,
  embedStream,
  loadSafetensors,
  records,
  tensor,
  TextEmbedder,
  Tokenizer,
  type VectorBatch,
} from '../../index.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()

/** An embedder of three words, for which any other word is an error. */
function strict(): TextEmbedder {
  const file = join(folder, 'tokenizer.json')
  const model = { type: 'WordLevel', vocab: { a: 0, b: 1, 'é😀': 2 }, unk_token: '[UNK]' }
  const parts = { version: '1.0', added_tokens: [], normalizer: null, post_processor: null, decoder: null }
  const cuts = { type: 'WhitespaceSplit' }
  writeFileSync(file, JSON.stringify({ ...parts, truncation: null, padding: null, pre_tokenizer: cuts, model }))
  const table = tensor(
    [
      [1, 0],
      [0, 1],
      [2, 2],
    ],
    { dtype: 'float32' },
  )
  return new TextEmbedder({ tokenizer: Tokenizer.fromFile(file), table })
}

async function all(from: AsyncIterable<VectorBatch>): Promise<VectorBatch[]> {
  const list: VectorBatch[] = []
  for await (const batch of from) list.push(batch)
  return list
}

const plain = (batches: VectorBatch[]) =>
  batches.map(({ ids, vectors, errors }) => ({
    ids,
    vectors: vectors.toArray(),
    errors: errors.map(({ id, error }) => [id, error.name]),
  }))

/** Words in lines, of which every so many is none that the embedder knows, and some are long or empty. */
const lines = (count: number, bad: number) =>
  Array.from({ length: count }, (_, i) =>
    i % bad === 5 ? 'c' : ['a', 'a b', '', 'é😀 '.repeat(i % 50), 'b b a'][i % 5],
  )

test('batches are those of the same texts in memory, errors among them', async (t) => {
  const embedder = strict()
  const texts = lines(3000, 400)
  const file = join(folder, 'lines.txt')
  writeFileSync(file, texts.join('\n'))
  for (const options of [{ batchTokens: 64 }, { batchTokens: 1 }, { maxBytes: 500 }, {}]) {
    const chosen = { embedder, onError: 'collect' as const, ...options }
    const held = plain(await all(embedStream({ files: [file] }, chosen)))
    t.deepEqual(held, plain(await all(embedStream(texts, chosen))))
    t.true(held.flatMap(({ errors }) => errors).length > 5)
  }
  const stream = embedStream({ files: [file] }, { embedder, batchTokens: 1 })
  await t.throwsAsync(all(stream), { message: /record 5: .*UNK/ })
})

test('records without a text, and ids of the file, stay where they are', async (t) => {
  const embedder = strict()
  const file = join(folder, 'lines.jsonl')
  const json = ['{"text":"a","id":"x"}', '{"text":"b"}', '{"no":1}', '{"text":"a b","id":7}', 'none', '{"text":"b"}']
  writeFileSync(file, json.join('\n'))
  const [batch] = await all(embedStream(records(file), { embedder, onError: 'collect' }))
  t.deepEqual(batch.ids, ['x', 1, 7, 5])
  t.deepEqual(
    batch.errors.map(({ id, error }) => [id, error.code]),
    [
      [2, 'FORMAT'],
      [4, 'FORMAT'],
    ],
  )
  t.deepEqual(batch.vectors.toArray(), [
    [1, 0],
    [0, 1],
    [0.5, 0.5],
    [0, 1],
  ])
})

test('texts of files and of other sources follow each other', async (t) => {
  const embedder = strict()
  const file = join(folder, 'one.txt')
  writeFileSync(file, 'a\nb')
  const bytes = Buffer.from('b\na b')
  const source = { size: bytes.length, read: (from: number, to: number) => bytes.subarray(from, to) }
  const batches = await all(embedStream(records([file, source, file]), { embedder }))
  t.deepEqual(
    batches.flatMap(({ ids }) => ids),
    [0, 1, 2, 3, 4, 5],
  )
  const vectors = batches.flatMap((batch) => batch.vectors.toArray() as number[][])
  t.deepEqual(vectors, [[1, 0], [0, 1], [0, 1], [0.5, 0.5], [1, 0], [0, 1]]) // prettier-ignore
})

test("a user's own embedder gets strings, and a table that a caller may hold serves as well", async (t) => {
  const file = join(folder, 'own.txt')
  writeFileSync(file, 'a\na b')
  const seen: unknown[] = []
  class Own extends TextEmbedder {
    override embedAsync(texts: string | readonly string[], options?: object) {
      seen.push(texts)
      return super.embedAsync(texts, options)
    }
  }
  const { tokenizer, table } = strict()
  const own = await all(embedStream({ files: [file] }, { embedder: new Own({ tokenizer, table }) }))
  t.deepEqual(seen, [['a', 'a b']])
  const data = new Float32Array([1, 0, 0, 1, 2, 2])
  const shared = tensor(data, { shape: [3, 2] })
  t.truthy(shared.data)
  const embedder = new TextEmbedder({ tokenizer, table: shared })
  t.deepEqual(plain(await all(embedStream({ files: [file] }, { embedder }))), plain(own))
})

test('shards hold the rows and ids of all records, whatever the size of shards', async (t) => {
  const embedder = strict()
  const texts = lines(2000, 400).map((text) => (text === 'c' ? 'b' : text))
  const file = join(folder, 'many.jsonl')
  const json = texts.map((text, i) => JSON.stringify(i % 700 === 699 ? { text, id: `n${i}` } : { text }))
  writeFileSync(file, json.join('\n'))
  const expected = embedder.embed(texts).toArray()
  const ids = { 699: [null, ['n699'], ['n1399']], 700: [['n699'], ['n1399'], null], 2000: [['n699', 'n1399']] }
  for (const [size, of] of Object.entries(ids)) {
    const to = join(folder, `shards-${size}`)
    const { shards } = await embedShards(to, [file], { embedder, model: 'strict', shardRows: Number(size) })
    const rows = shards.flatMap(({ name }) => loadSafetensors(join(to, name)).get('vectors')!.toArray() as number[][])
    t.deepEqual(rows, expected)
    const idsIn = (name: string) => JSON.parse(readFileSync(join(to, name), 'utf8')) as (string | null)[]
    t.deepEqual(
      shards.map((shard) => shard.ids && idsIn(shard.ids.name).filter((id) => id !== null)),
      of,
    )
    shards.forEach((shard) => shard.ids && t.is(idsIn(shard.ids.name).length, shard.rows))
  }
})
