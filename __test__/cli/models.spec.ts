// Tests what tokenbed neighbors, analogy, inspect and plot print and draw.

import test from 'ava'
import { Resvg } from '@resvg/resvg-js'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import {
  Generator,
  loadModel,
  randn,
  saveModel,
  saveNpy,
  saveSafetensors,
  saveWord2Vec,
  tensor,
  Tokenizer,
  Vectors,
  zeros,
} from '../../index.js'
import { fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const WORDS = ['king', 'queen', 'man', 'woman', 'sea', 'ship', '<b>&"', '鯨', 'never']
/** Vectors with royalty along the first number, sex along the second, and ships along the third. */
const ROWS = [
  [3, 1, 0.1],
  [3, -1, 0.2],
  [0.1, 1, 0.15],
  [0.2, -1, 0.1],
  [0, 0.1, 2],
  [0.1, 0.2, 2],
  [1, 0, 1],
  [-1, 0.1, 1],
  [0, 0, 0],
]
const COUNTS = [50, 20, 90, 80, 40, 30, 10, 5, 0]
const LOSS = [
  [10, 4.5],
  [20, 3.25],
  [30, 2],
] as const

function folder(): string {
  const path = mkdtempSync(join(base, 'x-'))
  const weight = tensor(ROWS)
  const training = { tokens: 1_234_567, epochs: 5, date: '2026-01-02', loss: LOSS }
  saveModel(join(path, 'model'), {
    objective: 'skip-gram',
    tensors: { 'token.weight': weight, 'context.weight': zeros([9, 3]), 'other.bias': zeros([4]) },
    vocabulary: WORDS,
    counts: COUNTS,
    training,
  })
  saveModel(join(path, 'plain'), { objective: 'cbow', tensors: { 'token.weight': weight }, vocabulary: WORDS })
  saveWord2Vec(join(path, 'vectors.bin'), WORDS, weight, { binary: true })
  const tokenizer = Tokenizer.load('gpt2')
  saveModel(join(path, 'gpt2'), {
    objective: 'next-token',
    tensors: { 'token.weight': randn([tokenizer.vocabSize, 2], { generator: new Generator(1) }) },
    vocabulary: tokenizer,
  })
  saveSafetensors(join(path, 'file.safetensors'), {
    wte: tensor([
      [1, 0],
      [0, 0],
      [NaN, 1],
    ]),
    flat: zeros([5]),
    ids: zeros([2, 2], { dtype: 'int32' }),
  })
  saveSafetensors(join(path, 'before.safetensors'), {
    'token.weight': tensor(ROWS.map((row, i) => (i === 4 || i === 8 ? row : [9, 9, 9]))),
  })
  saveNpy(join(path, 'array.npy'), zeros([2, 3]))
  mkdirSync(join(path, 'empty'))
  return path
}
const cwd = folder()
const run = (t: Parameters<typeof output>[0], ...args: string[]) => output(t, args, { cwd })

test('prints the neighbours of words', async (t) => {
  t.is(
    await run(t, 'neighbors', 'model', 'sea', 'king', '--top', '2'),
    'sea\n   0.9975  ship\n   0.7080  鯨\n\nking\n   0.8000  queen\n   0.6928  <b>&"\n',
  )
  t.is(await run(t, 'neighbors', 'vectors.bin', 'sea', '-n', '1'), 'sea\n   0.9975  ship\n')
  const { neighbors } = JSON.parse(await run(t, 'neighbors', 'model', '鯨', '--json', '--top', '3'))
  t.deepEqual(neighbors, [
    { token: '鯨', id: 7, nearest: loadModel(join(cwd, 'model')).vectors.mostSimilar('鯨', { topN: 3 }) },
  ])
})

test('shows the tokens of an encoding as the tokens command does', async (t) => {
  const text = await run(t, 'neighbors', 'gpt2', 'whale', 'the', '-n', '3')
  const [first, second] = text.split('\n\n')
  t.is(first.split('\n')[0], '·whale')
  t.is(second.split('\n')[0], 'the')
  for (const line of text.split('\n').filter((line) => line.startsWith(' '))) t.regex(line, /^ {3}\d\.\d{4} {2}[^ ]+$/)
})

test('solves analogies', async (t) => {
  t.is(
    (await run(t, 'analogy', 'model', 'man', 'king', 'woman', '-n', '2')).split('\n').slice(0, 2).join('|'),
    'man : king = woman : ?|   0.7736  queen',
  )
  const { a, b, c, nearest } = JSON.parse(await run(t, 'analogy', 'model', 'man', 'king', 'woman', '--json'))
  t.deepEqual([a, b, c, nearest.length], ['man', 'king', 'woman', 6])
  t.is(nearest[0].token, 'queen')
})

test('inspects a model', async (t) => {
  t.snapshot(await run(t, 'inspect', 'model'))
  const { model, tensors, tables } = JSON.parse(await run(t, 'inspect', 'model', '--json'))
  t.is(model.objective, 'skip-gram')
  t.deepEqual(
    tensors.find(({ name }: { name: string }) => name === 'token.weight'),
    { name: 'token.weight', dtype: 'float32', shape: [9, 3], bytes: 108 },
  )
  t.deepEqual(tables.map(({ name }: { name: string }) => name).sort(), ['context.weight', 'token.weight'])
  const table = tables.find(({ name }: { name: string }) => name === 'token.weight')
  t.like(table, { rows: 9, dim: 3, zero: [8], notFinite: [], unseen: [8], unchanged: null })
  t.deepEqual(
    table.hot.map(({ id }: { id: number }) => id),
    [2, 3],
  )
  t.like(
    JSON.parse(await run(t, 'inspect', 'model', '--table', 'token.weight', '--initial', 'before.safetensors', '--json'))
      .tables[0],
    { unchanged: [4, 8] },
  )
  t.like(
    JSON.parse(await run(t, 'inspect', 'model', '--table', 'token.weight', '--initial', 'plain', '--json')).tables[0],
    { unchanged: [0, 1, 2, 3, 4, 5, 6, 7, 8] },
  )
})

test('inspects files', async (t) => {
  t.snapshot(await run(t, 'inspect', 'file.safetensors'))
  t.snapshot(await run(t, 'inspect', 'file.safetensors', '--no-health'))
  t.snapshot(await run(t, 'inspect', 'array.npy'))
  t.deepEqual(
    JSON.parse(await run(t, 'inspect', 'file.safetensors', '--json')).tables.map(
      ({ name, zero, notFinite }: Record<string, unknown>) => [name, zero, notFinite],
    ),
    [['wte', [1], [2]]],
  )
})

/** A safetensors file with this header and this number of zero bytes. */
function forged(name: string, header: object, bytes: number): void {
  const text = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(join(cwd, name), Buffer.concat([size, text, Buffer.alloc(bytes)]))
}

test('lists tensors of every type, and metadata', async (t) => {
  forged(
    'mixed.safetensors',
    {
      __metadata__: { format: 'pt', note: 'n'.repeat(200) },
      wte: { dtype: 'F32', shape: [3, 2], data_offsets: [0, 24] },
      scale: { dtype: 'F8_E8M0', shape: [4], data_offsets: [24, 28] },
      'layer.weight': { dtype: 'F8_E4M3', shape: [2, 3], data_offsets: [28, 34] },
      ids: { dtype: 'U16', shape: [3], data_offsets: [34, 40] },
    },
    40,
  )
  const text = await run(t, 'inspect', 'mixed.safetensors')
  t.is(
    text.split('\n\n')[0],
    `mixed.safetensors: 4 tensors, ${statSync(join(cwd, 'mixed.safetensors')).size} bytes\n  format: pt\n  note: ${'n'.repeat(97)}...\n  wte           float32  [3, 2]  24 bytes\n  scale         F8_E8M0  [4]     4 bytes\n  layer.weight  F8_E4M3  [2, 3]  6 bytes\n  ids           U16      [3]     6 bytes`,
  )
  t.regex(text, /\nwte: 3 rows of 2\n/)
  const { tensors, metadata, tables } = JSON.parse(await run(t, 'inspect', 'mixed.safetensors', '--json'))
  t.deepEqual(tensors[2], { name: 'layer.weight', dtype: 'F8_E4M3', shape: [2, 3], bytes: 6 })
  t.deepEqual([metadata.format, tables.length], ['pt', 1])
  await fails(t, ['inspect', 'mixed.safetensors', '--table', 'layer.weight'], 2, ['F8_E4M3 [2, 3]', 'not a table'], {
    cwd,
  })
  // The only table of it is asked without a name; one of another type says its type.
  t.is((await run(t, 'neighbors', 'mixed.safetensors', '1', '-n', '1')).split('\n')[0], '#1')
  await fails(t, ['neighbors', 'mixed.safetensors:layer.weight', '1'], 1, ['"layer.weight"', 'F8_E4M3'], { cwd })
  await fails(
    t,
    ['neighbors', 'mixed.safetensors:x', '1'],
    2,
    ['"x"', 'wte [3, 2]', 'layer.weight [2, 3] of F8_E4M3'],
    { cwd },
  )
})

/** A model in two files, in a folder with this name. */
function sharded(
  name: string,
  index = 'model.safetensors.index.json',
): { at: (file: string) => string; map: Record<string, string> } {
  const at = (file: string) => join(cwd, name, file)
  mkdirSync(join(cwd, name), { recursive: true })
  const [one, two] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  saveSafetensors(
    at(one),
    { 'embed_tokens.weight': tensor(ROWS), 'a.bias': zeros([4]) },
    { metadata: { format: 'pt' } },
  )
  saveSafetensors(at(two), { 'lm_head.weight': tensor(ROWS).mul(2), 'b.bias': zeros([4], { dtype: 'bfloat16' }) })
  const map = { 'embed_tokens.weight': one, 'a.bias': one, 'b.bias': two, 'lm_head.weight': two }
  writeFileSync(at(index), JSON.stringify({ metadata: { total_size: 264 }, weight_map: map }))
  return { at, map }
}

test('inspects a model in several files', async (t) => {
  const { at } = sharded('shards')
  const text = await run(t, 'inspect', 'shards')
  t.regex(text, /^shards: 4 tensors in 2 files, \d+ bytes|kB\n {2}format: pt\n/)
  t.regex(text, /\n {2}embed_tokens\.weight {2}float32 {3}\[9, 3\] {2}108 bytes\n/)
  t.regex(text, /\n {2}b\.bias {15}bfloat16 {2}\[4\] {5}8 bytes\n/)
  t.regex(text, /\nembed_tokens\.weight: 9 rows of 3\n[^]*\nlm_head\.weight: 9 rows of 3\n/)
  const { tensors, tables, files, bytes } = JSON.parse(await run(t, 'inspect', 'shards', '--json'))
  t.deepEqual(files, ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'])
  t.is(
    bytes,
    files.reduce((sum: number, file: string) => sum + statSync(at(file)).size, 0),
  )
  t.deepEqual(
    tensors.find(({ name }: { name: string }) => name === 'b.bias'),
    { name: 'b.bias', dtype: 'bfloat16', shape: [4], bytes: 8, file: files[1] },
  )
  t.deepEqual(
    tables.map(({ name, zero }: { name: string; zero: number[] }) => [name, zero]),
    [
      ['embed_tokens.weight', [8]],
      ['lm_head.weight', [8]],
    ],
  )
  t.regex(text, /\n {2}does not load .*config\.json/)
  // The index itself, of which nobody expects a model, and one of another name.
  const alone = await run(t, 'inspect', join('shards', 'model.safetensors.index.json'))
  t.is(alone, text.replace(/ {2}does not load .*\n/, ''))
  sharded('diffusers', 'diffusion_pytorch_model.safetensors.index.json')
  t.is(
    (await run(t, 'inspect', 'diffusers', '--table', 'lm_head.weight')).split('\n')[0],
    text.split('\n')[0].replace('shards', 'diffusers'),
  )
})

test('reports missing files and files of different models', async (t) => {
  const { at, map } = sharded('broken')
  const index = (it: unknown) =>
    writeFileSync(at('model.safetensors.index.json'), typeof it === 'string' ? it : JSON.stringify(it))
  const says = (...parts: string[]) => fails(t, ['inspect', 'broken'], 1, parts, { cwd })
  index('{')
  await says('index.json', 'not JSON')
  index([])
  await says('index.json', '"weight_map"')
  for (const place of ['../x.safetensors', '/etc/passwd', '', '..', 5]) {
    index({ weight_map: { ...map, evil: place } })
    await says('"evil"', 'not the name of a file')
  }
  index({ weight_map: { ...map, 'c.bias': 'model-00001-of-00002.safetensors' } })
  await says('"c.bias"', 'model-00001-of-00002.safetensors', 'not of one model')
  index({ weight_map: map })
  writeFileSync(
    at('model-00002-of-00002.safetensors'),
    'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n',
  )
  await says('model-00002-of-00002.safetensors', 'Git LFS', 'git lfs pull')
  rmSync(at('model-00002-of-00002.safetensors'))
  await says('model-00002-of-00002.safetensors', 'does not exist')
  rmSync(at('model.safetensors.index.json'))
  await says('neither model.json nor model.safetensors', 'model-00001-of-00002.safetensors', 'name a file')
})

test('searches and draws the rows of a table in a safetensors file', async (t) => {
  saveSafetensors(join(cwd, 'rows.safetensors'), { table: tensor(ROWS).to('bfloat16'), bias: zeros([9]) })
  t.is(await run(t, 'neighbors', 'rows.safetensors', '4', '-n', '1'), '#4\n   0.9975  #5\n')
  const { neighbors } = JSON.parse(await run(t, 'neighbors', 'rows.safetensors:table', '4', '--json', '-n', '1'))
  t.like(neighbors[0], { token: '4', id: 4, nearest: [{ token: '5', id: 5 }] })
  t.is((await run(t, 'analogy', 'rows.safetensors', '2', '0', '3', '-n', '1')).split('\n')[1].slice(-2), '#1')
  t.is(await run(t, 'plot', 'rows.safetensors', '-o', 'rows.svg'), 'rows.svg: 9 rows, 9 of them with a label\n')
  t.true(readFileSync(join(cwd, 'rows.svg'), 'utf8').includes('>The 9 first of 9 rows<'))
  await fails(
    t,
    ['neighbors', 'rows.safetensors', 'whale'],
    2,
    ['"whale"', '9 rows', 'rows.safetensors:table', "a row's number", '--tokenizer'],
    { cwd },
  )
  await fails(t, ['neighbors', 'rows.safetensors', '9'], 2, ['"9"', '9 rows'], { cwd })
  await fails(t, ['neighbors', 'rows.safetensors:bias', '1'], 1, ['rows.safetensors:bias', '[9]'], { cwd })
  await fails(t, ['neighbors', 'rows.safetensors', '1', '--tokenizer', 'gpt2'], 2, ['gpt2', '50257 tokens', '9 rows'], {
    cwd,
  })
  await fails(t, ['neighbors', 'model', 'king', '--tokenizer', 'gpt2'], 2, ['--tokenizer gpt2', '.safetensors'], {
    cwd,
  })
  await fails(
    t,
    ['neighbors', join('model', 'model.safetensors'), '1'],
    2,
    ['which of its tensors', 'token.weight [9, 3]'],
    { cwd },
  )
})

test('names the rows of a table in a safetensors file with a tokenizer', async (t) => {
  const inside = `${join('gpt2', 'model.safetensors')}:token.weight`
  const words = ['whale', 'the', '-n', '3']
  t.is(await run(t, 'neighbors', inside, ...words, '--tokenizer', 'gpt2'), await run(t, 'neighbors', 'gpt2', ...words))
  // A table may have more rows than tokens, as models have them; its tokens may be those of a tokenizer.json.
  const file = join(root, 'testdata/golden/hf/byte-level.json')
  const tokenizer = Tokenizer.fromFile(file)
  saveSafetensors(join(cwd, 'more.safetensors'), {
    wte: randn([tokenizer.vocabSize + 7, 4], { generator: new Generator(2) }),
  })
  const { neighbors } = JSON.parse(
    await run(t, 'neighbors', 'more.safetensors', 'a', '--tokenizer', file, '--json', '-n', '2'),
  )
  t.is(neighbors[0].id, new Vectors(zeros([tokenizer.vocabSize, 2]), tokenizer).id('a'))
  t.regex(
    await run(t, 'plot', 'more.safetensors', '--tokenizer', file, '-o', 'more.svg', '-n', '12'),
    /^more\.svg: 12 tokens, /,
  )
  await fails(
    t,
    ['plot', 'more.safetensors', 'nonesuch', '--tokenizer', file, '-o', 'x.svg'],
    2,
    ['"nonesuch"', 'more.safetensors:wte'],
    { cwd },
  )
})

test('--verify finds a changed byte', async (t) => {
  t.regex(
    await run(t, 'inspect', 'model', '--verify', '--no-health'),
    /^model: .*\n {2}verified: every byte is as it was saved\n/,
  )
  t.true(JSON.parse(await run(t, 'inspect', 'model', '--verify', '--no-health', '--json')).verified)
  t.true(
    JSON.parse(await run(t, 'inspect', join('model', 'model.safetensors'), '--verify', '--no-health', '--json'))
      .verified,
  )
  const damaged = join(cwd, 'damaged')
  cpSync(join(cwd, 'model'), damaged, { recursive: true })
  const path = join(damaged, 'model.safetensors')
  const bytes = readFileSync(path)
  bytes[bytes.length - 5] ^= 1
  writeFileSync(path, bytes)
  for (const which of ['damaged', join('damaged', 'model.safetensors')])
    await fails(t, ['inspect', which, '--verify'], 1, [join('damaged', 'model.safetensors'), 'damaged'], { cwd })
  await fails(t, ['inspect', 'file.safetensors', '--verify'], 1, ['file.safetensors', 'no digest'], { cwd })
  await fails(t, ['inspect', 'array.npy', '--verify'], 2, ['--verify', 'array.npy'], { cwd })
})

/** Checks that a renderer accepts the picture, and returns its size. */
function size(svg: string): [number, number] {
  const { width, height } = new Resvg(svg, { font: { loadSystemFonts: false } }).render()
  return [width, height]
}

test('draws the most frequent tokens', async (t) => {
  t.is(await run(t, 'plot', 'model', '--all', '--out', 'a.svg'), 'a.svg: 8 words, 8 of them with a label\n')
  const svg = readFileSync(join(cwd, 'a.svg'), 'utf8')
  t.deepEqual(size(svg), [960, 720])
  t.true(svg.includes('>&#60;b&#62;&#38;&#34;</text>') && !svg.includes('<b>'))
  t.true(svg.includes('seen 90 times') && !svg.includes('>never<'), 'what was never seen is not drawn')
  const before = svg
  await run(t, 'plot', 'model', '--all', '--out', 'a.svg')
  t.is(readFileSync(join(cwd, 'a.svg'), 'utf8'), before, 'always the same')
  t.is(await run(t, 'plot', 'plain', '--out', 'p.svg', '--top', '4'), 'p.svg: 4 words, 4 of them with a label\n')
})

test('draws some words with the loss, as an HTML page', async (t) => {
  t.is(
    await run(t, 'plot', 'model', 'king', 'queen', 'sea', 'sea', '--loss', '-o', 'b.html'),
    'b.html: 3 words, 3 of them with a label, and the loss at 3 steps\n',
  )
  const html = readFileSync(join(cwd, 'b.html'), 'utf8')
  t.regex(html, /^<!doctype html>\n<html lang="en">/)
  t.false(/<script|href=|src=|url\(/.test(html), 'nothing comes from elsewhere')
  t.deepEqual(size(html.slice(html.indexOf('<svg'), html.indexOf('</svg>') + 6)), [960, 1020])
  t.true(html.includes('Loss: from 4.5 to 2'))
  const { out, tokens, explained, loss } = JSON.parse(await run(t, 'plot', 'model', '--loss', '--json', '-o', 'c.svg'))
  t.is(out, 'c.svg')
  t.deepEqual(loss, LOSS)
  t.deepEqual(
    tokens.slice(0, 2).map(({ token, id, labelled }: Record<string, unknown>) => [token, id, labelled]),
    [
      ['man', 2, true],
      ['woman', 3, true],
    ],
  )
  t.true(explained[0] > explained[1] && explained[0] + explained[1] <= 1 + 1e-12)
  t.is(await run(t, 'plot', 'vectors.bin', '-o', 'd.svg'), 'd.svg: 9 words, 9 of them with a label\n')
})

test('leaves out what says little, colours dots, and draws for dark rooms and as PNG', async (t) => {
  // In German and Swedish, man is a stop word.
  const words = ['the', ',', 'whale', 'And', 'ship', 'x', 'of', 'sea', '2', 'man', "don't", 'Ahab']
  saveModel(join(cwd, 'frequent'), {
    objective: 'cbow',
    tensors: { 'token.weight': randn([12, 4], { generator: new Generator(4) }) },
    vocabulary: words,
    counts: words.map((_, i) => 100 - i),
  })
  const drawn = async (...args: string[]) =>
    JSON.parse(await run(t, 'plot', 'frequent', '--json', ...args)).tokens.map(({ token }: { token: string }) => token)
  const telling = ['whale', 'ship', 'sea', 'man', 'Ahab']
  t.deepEqual(await drawn('-o', 'f.svg'), telling)
  t.deepEqual(await drawn('--all', '-o', 'f.svg'), words)
  writeFileSync(join(cwd, 'kinds.tsv'), `kind\n${words.map((word) => `${word.length} letters\n`).join('')}`)
  await run(t, 'plot', 'frequent', '--columns', 'kinds.tsv', '--color', 'kind', '--theme', 'dark', '-o', 'k.svg')
  const svg = readFileSync(join(cwd, 'k.svg'), 'utf8')
  t.true(svg.includes('>4 letters</text>') && svg.includes('fill="#10141b"'))
  t.is(new Set([...svg.matchAll(/<circle[^>]*fill="(#[0-9a-f]{6})"/g)].map(([, color]) => color)).size, 3)
  for (const color of ['count', 'norm', 'cluster']) {
    await run(t, 'plot', 'frequent', '--color', color, '--clusters', '2', '-o', 'n.svg')
    t.true(readFileSync(join(cwd, 'n.svg'), 'utf8').includes(`>${color}</text>`))
  }
  await run(t, 'plot', 'frequent', '-o', 'f.png')
  const png = readFileSync(join(cwd, 'f.png'))
  t.is(png.toString('latin1', 1, 4), 'PNG')
  t.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1920, 1440])
  await run(t, 'plot', 'frequent', '-o', 'f.html')
  t.is(readFileSync(join(cwd, 'f.html'), 'utf8').match(/<svg/g)!.length, 2)
  await fails(t, ['plot', 'frequent', '--color', 'size', '-o', 'x.svg'], 2, ['--color size', 'count, norm, cluster'], {
    cwd,
  })
})

test('no label overlaps another or a dot', async (t) => {
  const many = Array.from({ length: 400 }, (_, i) => `word${i}`)
  saveModel(join(cwd, 'many'), {
    objective: 'cbow',
    tensors: { 'token.weight': randn([400, 8], { generator: new Generator(3) }) },
    vocabulary: many,
    counts: many.map((_, i) => 400 - i),
  })
  const { tokens } = JSON.parse(await run(t, 'plot', 'many', '-n', '400', '--json', '-o', 'e.svg'))
  const labelled = tokens.filter((token: { labelled: boolean }) => token.labelled).length
  t.true(labelled > 50 && labelled < 400, `${labelled}`)
  const svg = readFileSync(join(cwd, 'e.svg'), 'utf8')
  const found = [
    ...svg.matchAll(
      /<g class="token">.*?<circle cx="(.*?)" cy="(.*?)" r="(.*?)".*?\/>(?:<text x="(.*?)" y="(.*?)"(?: text-anchor="(.*?)")?>(.*?)<\/text>)?<\/g>/g,
    ),
  ]
  t.is(found.length, 400)
  // Narrower than any font has these letters, so that what is found here is seen anywhere.
  const boxes = found.flatMap(([, , , , x, y, anchor = 'start', text]) => {
    if (text === undefined) return []
    const [width, left] = [text.length * 5.2, Number(x)]
    const from = anchor === 'start' ? left : anchor === 'end' ? left - width : left - width / 2
    return [{ text, left: from, right: from + width, top: Number(y) - 8, bottom: Number(y) + 1 }]
  })
  t.is(boxes.length, labelled)
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1))
      t.false(a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom, `${a.text} ${b.text}`)
    for (const [, cx, cy] of found)
      t.false(Number(cx) > a.left && Number(cx) < a.right && Number(cy) > a.top && Number(cy) < a.bottom, a.text)
  }
})

type Case = [args: string[], code: 1 | 2, ...parts: string[]]
const CASES: Case[] = [
  [['neighbors'], 2, "'model'"],
  [['neighbors', 'model'], 2, "'words'"],
  [['neighbors', 'missing', 'king'], 1, 'missing: no such file or directory'],
  [['neighbors', 'empty', 'king'], 1, 'empty', 'model.json'],
  [['neighbors', 'array.npy', 'king'], 2, '"king"', '2 rows', 'have no names'],
  [['neighbors', 'model', 'kng'], 2, '"kng"', '9 words', 'did you mean "king"?'],
  [['neighbors', 'model', 'King'], 2, 'did you mean "king"'],
  [['neighbors', 'model', 'zebra\u001b[31m'], 2, '"zebra␛[31m"', 'none is spelled'],
  [['neighbors', 'gpt2', 'whaleboats'], 2, 'gpt2', '"wh", "ale", "boats"'],
  [['neighbors', 'model', 'king', '--top', 'x'], 2, '--top', 'from 1 on'],
  [['analogy', 'model', 'man', 'king'], 2, "'c'"],
  [['analogy', 'model', 'man', 'king', 'women'], 2, '"women"', '"woman"'],
  [['inspect', 'missing'], 1, 'missing: no such file or directory'],
  [['inspect', 'empty'], 1, 'empty', 'model.safetensors'],
  [['inspect', 'model', '--table', 'x'], 2, '--table x', 'token.weight'],
  [['inspect', 'file.safetensors', '--table', 'ids'], 2, 'int32 [2, 2]'],
  [['inspect', 'model', '--initial', 'before.safetensors'], 2, '--initial', '2 are examined', '--table'],
  [['inspect', 'file.safetensors', '--initial', 'before.safetensors'], 2, '[9, 3]', '[3, 2]'],
  [['inspect', 'file.safetensors', '--initial', 'file.safetensors'], 2, 'which of its tensors', 'wte'],
  [['inspect', 'file.safetensors', '--initial', 'file.safetensors:x'], 2, '"x"', 'wte'],
  [['inspect', 'model', '--no-health', '--table', 'token.weight'], 2, '--no-health', '--table'],
  [['plot', 'model'], 2, '--out'],
  [['plot', 'model', '-o', 'x.jpg'], 2, 'x.jpg', '.svg, .png or .html'],
  [['plot', 'model', '-o', 'nowhere/x.svg'], 1, 'nowhere', 'does not exist'],
  [['plot', 'model', '-o', 'empty.svg/x.svg'], 1, 'empty.svg'],
  [['plot', 'model', '-o', 'x.svg', '--top', '2'], 2, '--top', 'from 3 on'],
  [['plot', 'model', 'king', 'queen', '-o', 'x.svg'], 1, '2 words to draw', 'three'],
  [['plot', 'model', 'king', 'quen', '-o', 'x.svg'], 2, '"quen"', '"queen"'],
  [['plot', 'plain', '--loss', '-o', 'x.svg'], 1, '--loss', 'training.loss'],
  [['plot', 'vectors.bin', '--loss', '-o', 'x.svg'], 1, '--loss'],
]

for (const [args, code, ...parts] of CASES) {
  test(`tokenbed ${args.join(' ')}`, async (t) => {
    await fails(t, args, code, parts, { cwd })
    t.false(existsSync(join(cwd, 'x.svg')))
  })
}

// The other tests write pictures into the same folder while they run.
test.after('no temporary file is left', (t) =>
  t.deepEqual(
    readdirSync(cwd).filter((name) => name.startsWith('.')),
    [],
  ),
)

test('an existing picture stays if the work fails', async (t) => {
  writeFileSync(join(cwd, 'old.svg'), 'old')
  await fails(t, ['plot', 'plain', '--loss', '-o', 'old.svg'], 1, ['--loss'], { cwd })
  t.is(readFileSync(join(cwd, 'old.svg'), 'utf8'), 'old')
})
