// tokenbed dedupe and tokenbed split, as users run them.

import test from 'ava'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { saveNpy, saveSafetensors, tensor, TextEmbedder, zeros } from '../../index.js'
import { fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const file = (name: string) => join(folder, name)

const ROWS = tensor([
  [1, 0],
  [0, 1],
  [0.99, 0.01],
  [0, 2],
])

test('dedupe finds copies, and prints the lines that are left', async (t) => {
  const [vectors, lines] = [file('vectors.npy'), file('lines.txt')]
  saveNpy(vectors, ROWS)
  writeFileSync(lines, 'one\ntwo\r\nthree\nfour\n')
  t.is(await output(t, ['dedupe', vectors, '--quiet']), '0 2\n1 3\n')
  t.is(await output(t, ['dedupe', vectors, '--quiet', '--texts', lines]), 'one\ntwo\n')
  const json = JSON.parse(await output(t, ['dedupe', vectors, '--json', '--threshold', '1']))
  t.deepEqual(json, { rows: 4, threshold: 1, groups: [[0], [1, 3], [2]] })
  const tables = file('tables.safetensors')
  saveSafetensors(tables, { a: ROWS, b: tensor(Uint8Array.of(1, 1, 2), { shape: [3, 1] }) })
  t.is(await output(t, ['dedupe', `${tables}:b`, '--quiet']), '0 1\n')
})

test('dedupe says what is wrong', async (t) => {
  const [vectors, lines] = [file('rows.npy'), file('few.txt')]
  saveNpy(vectors, ROWS)
  writeFileSync(lines, 'one\n')
  await fails(t, ['dedupe', file('none.npy')], 1, ['no such file'])
  await fails(t, ['dedupe', vectors, '--threshold', '1.5'], 2, ['a number from -1 to 1'])
  await fails(t, ['dedupe', vectors, '--texts', lines], 1, ['1 lines', '4 vectors'])
  saveNpy(file('flat.npy'), tensor([1, 2]))
  await fails(t, ['dedupe', file('flat.npy')], 1, ['two sizes'])
})

test('split divides files and stdin', async (t) => {
  const text = 'It rose. It blew!\r\nIt sank. '.repeat(5)
  const path = file('book.txt')
  writeFileSync(path, text)
  const parsed = (out: string) =>
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  const chunks = parsed(await output(t, ['split', path, '--max-tokens', '12', '--json']))
  t.is(chunks.map((chunk) => chunk.text).join(''), text)
  t.true(chunks.length > 3 && chunks.every((chunk) => chunk.file === path && chunk.tokens <= 12))
  const lapping = parsed(
    await output(t, ['split', '--max-tokens', '12', '--overlap', '4', '--by', 'token', '--json'], { input: text }),
  )
  t.true(lapping.every((chunk, i) => i === 0 || chunk.start < lapping[i - 1].end))
  const lines = (await output(t, ['split', path, '--max-tokens', '12'])).trimEnd().split('\n')
  t.is(lines.length, chunks.length)
  const packed = file('book.txt.gz')
  writeFileSync(packed, gzipSync(text))
  const unpacked = parsed(await output(t, ['split', packed, '--max-tokens', '12', '--json']))
  t.deepEqual(
    unpacked,
    chunks.map((chunk) => ({ ...chunk, file: packed })),
  )
  writeFileSync(packed, Buffer.from('no gzip'))
  await fails(t, ['split', packed], 1, ['book.txt.gz'])
  writeFileSync(packed, gzipSync(Buffer.from([65, 255])))
  await fails(t, ['split', packed], 1, ['not UTF-8', '--invalid-utf8 replace'])
  t.regex(await output(t, ['split', packed, '--invalid-utf8', 'replace']), /A\ufffd/)
  await fails(t, ['split', path, '--max-tokens', '4', '--overlap', '4'], 2, ['below --max-tokens'])
  await fails(t, ['split', path, '--max-tokens', '0'], 2, ['from 1 on'])
})

test('search finds the vectors of texts', async (t) => {
  const model = join(root, 'testdata/golden/embed/m2v-f32')
  const texts = ['the whale', 'a ship at sea', 'the captain']
  const [lines, vectors, bits] = [file('texts.txt'), file('texts.safetensors'), file('bits.npy')]
  writeFileSync(lines, `${texts.join('\n')}\n`)
  const embedder = TextEmbedder.load(model)
  saveSafetensors(vectors, { embeddings: embedder.embed(texts) })
  saveNpy(bits, embedder.embed(texts, { dtype: 'binary' }))
  const json = JSON.parse(await output(t, ['search', vectors, ...texts, '--model', model, '--top', '2', '--json']))
  json.queries.forEach(({ text, nearest }: { text: string; nearest: { id: number; score: number }[] }, i: number) => {
    t.is(text, texts[i])
    t.is(nearest.length, 2)
    t.is(nearest[0].id, i)
    t.true(Math.abs(nearest[0].score - 1) < 1e-5)
  })
  const shown = await output(t, ['search', vectors, lines, '--model', model, '--texts', lines, '--top', '1'])
  t.regex(shown, /^the·whale\n +1\.0000 {2}#0 {2}the·whale\n\na/)
  t.regex(await output(t, ['search', bits, 'the captain', '--model', model, '-n', '1']), /1\.0000 {2}#2\n$/)
  await fails(t, ['search', vectors, 'a'], 2, ['--model'])
  await fails(t, ['search', vectors, 'a', '--model', model, '--metric', 'hamming'], 2, ['compares bits'])
  saveNpy(file('wide.npy'), zeros([2, 999]))
  await fails(t, ['search', file('wide.npy'), 'a', '--model', model], 1, ['not of this model'])
})
