// Tests tokenbed embed --model.

import test from 'ava'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { concat, loadNpy, loadSafetensors, TextEmbedder, verifyShards } from '../../index.js'
import { fails, output } from '../support/command.js'
import { digest } from '../support/compare.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const model = join(root, 'testdata/golden/embed/m2v-f32')
const texts = ['the whale', '', 'a longer text, of the captain', 'naïve 东京']
const embedder = TextEmbedder.load(model)

function folder(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'a.txt'), `${texts.join('\r\n')}\n`)
  writeFileSync(join(cwd, 'b.jsonl'), texts.map((body, id) => JSON.stringify({ id, body })).join('\n'))
  writeFileSync(join(cwd, 'c.txt.gz'), gzipSync(texts.join('\n')))
  return cwd
}

test('each line and each record has a vector', async (t) => {
  const cwd = folder()
  const files = ['a.txt', 'b.jsonl', 'c.txt.gz']
  const said = await output(t, ['embed', ...files, '--model', model, '--field', 'body', '-o', 'x.safetensors'], { cwd })
  t.regex(said, /x\.safetensors: float32 \[12, 16\]/)
  const { embeddings, file_rows } = Object.fromEntries(loadSafetensors(join(cwd, 'x.safetensors')))
  t.is(digest(embeddings), digest(embedder.embed([...texts, ...texts, ...texts])))
  t.deepEqual(file_rows.toArray(), [
    [0, 4],
    [4, 8],
    [8, 12],
  ])
})

test('types, dimensions, npy, stdin and --json', async (t) => {
  const cwd = folder()
  const embed = (...args: string[]) =>
    output(t, ['embed', '--model', model, '--json', ...args], { cwd, input: readFileSync(join(cwd, 'a.txt')) })
  for (const dtype of ['float16', 'int8', 'binary'] as const) {
    const said = JSON.parse(await embed('--dtype', dtype, '--dim', '8', '-o', 'x.npy'))
    const vectors = embedder.embed(texts, { dim: 8, dtype })
    t.deepEqual(said.shape, vectors.shape)
    t.is(digest(loadNpy(join(cwd, 'x.npy'))), digest(vectors))
  }
})

test('what cannot be done is refused, and nothing is written', async (t) => {
  const cwd = folder()
  const refused = async (args: string[], code: 1 | 2, ...parts: string[]) => {
    await fails(t, ['embed', ...args, '-o', 'x.npy'], code, parts, { cwd })
    t.false(existsSync(join(cwd, 'x.npy')))
  }
  for (const other of [['--stride', '3'], ['--table', 'x'], ['--no-positions'], ['--max-length', '9']])
    await refused(['a.txt', '--model', model, ...other], 2, other[0], '--model')
  await refused(['a.txt', '--field', 'body'], 2, '--model')
  await refused(['a.txt', '--dtype', 'int8'], 2, '--model')
  await refused(['a.txt', '--model', model, '--dtype', 'bfloat16'], 2, 'bfloat16')
  await refused(['a.txt', '--model', model, '--dim', '17'], 2, '--dim 17')
  await refused(['a.txt', '--model', model, '--dim', '9', '--dtype', 'binary'], 2, 'multiple of 8')
  await refused(['b.jsonl', '--model', model], 1, 'line 1: it has no field "text"; --field')
  await refused(['a.txt', '--model', cwd], 1, 'no static embedding model')
  writeFileSync(join(cwd, 'd.jsonl'), '{"text": "a"}\n{"text": 5}\n')
  await refused(['d.jsonl', '--model', model], 1, 'line 2: its field "text" is a number', '--field')
  writeFileSync(join(cwd, 'd.jsonl'), '{"text": "a"\n')
  await refused(['d.jsonl', '--model', model], 1, 'line 1: it is not a JSON object')
})

test('shards are made, completed and shared among workers', async (t) => {
  const cwd = folder()
  const args = ['embed', 'a.txt', 'b.jsonl', '--model', model, '--field', 'body', '--shard-rows', '3']
  t.regex(await output(t, [...args, '-o', 'one'], { cwd }), /one: 8 vectors of 16 in 3 shards/)
  const { shards } = await verifyShards(join(cwd, 'one'))
  const rows = shards.map(({ name }) => loadSafetensors(join(cwd, 'one', name)).get('vectors')!)
  t.is(digest(concat(rows, 0)), digest(embedder.embed([...texts, ...texts])))
  await fails(t, [...args, '-o', 'one'], 2, ['was begun already', '--resume'], { cwd })
  await output(t, [...args, '-o', 'one', '--resume'], { cwd })
  for (const shard of ['1/2', '0/2']) await output(t, [...args, '-o', 'two', '--shard', shard], { cwd })
  t.is((await verifyShards(join(cwd, 'two'))).rows, 8)
  await fails(t, [...args, '-o', 'x', '--shard', '2/2'], 2, ['--shard 2/2', 'i/n'], { cwd })
  await fails(t, [...args, '-o', 'x', '--shard', 'auto'], 2, ['no array of a scheduler'], { cwd })
  await fails(t, [...args, '-o', 'x.npy'], 2, ['it is a folder'], { cwd })
  await fails(t, ['embed', 'a.txt', '--model', model, '-o', 'x.npy', '--resume'], 2, ['--shard-rows'], { cwd })
  await fails(t, ['embed', 'a.txt', '-o', 'x.npy', '--shard-rows', '3'], 2, ['--model'], { cwd })
})
