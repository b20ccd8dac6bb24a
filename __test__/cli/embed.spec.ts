// Tests the files that tokenbed embed writes.

import test from 'ava'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  Embedding,
  Generator,
  loadNpy,
  loadSafetensors,
  randn,
  saveSafetensors,
  TokenPositionEmbedding,
  Tokenizer,
  type Tensor,
} from '../../index.js'
import { command, ended, output, start } from '../support/command.js'
import { digest } from '../support/compare.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const tokenizer = Tokenizer.load('gpt2')
const TEXT = 'The quick brown fox jumps over the lazy dog, and naïve cafés — ☃ — do not mind.\n'.repeat(5)
const SHORT = 'Two words'
const ISHMAEL = 'Call me Ishmael.'
const SMALL = ['--dim', '8', '--max-length', '6']

const base = temporaryFolder()

/** A folder with texts in it. */
function folder(): string {
  const path = mkdtempSync(join(base, 'x-'))
  mkdirSync(join(path, 'more'))
  writeFileSync(join(path, 'a.txt'), TEXT)
  writeFileSync(join(path, 'b.txt'), SHORT)
  writeFileSync(join(path, 'empty.txt'), '')
  writeFileSync(join(path, 'more', 'c.txt'), ISHMAEL)
  return path
}

/** Windows over a text that cover every id. */
function windowsOf(text: string, length: number, stride = length): number[][] {
  const ids = [...tokenizer.encode(text)]
  const windows: number[][] = []
  for (let start = 0; start === 0 || start + length - stride < ids.length; start += stride)
    windows.push(ids.slice(start, start + length))
  return windows.filter((window) => window.length > 0)
}

/** The library's vectors for windows, with zeros after the ends of short ones. */
function vectorsOf(
  windows: number[][],
  length: number,
  layer: { forward(ids: number[][]): Tensor },
  dim: number,
): Tensor {
  const vectors = layer.forward(windows.map((window) => [...window, ...Array(length - window.length).fill(0)]))
  windows.forEach((window, i) =>
    vectors.set(new Float32Array((length - window.length) * dim), (i * length + window.length) * dim),
  )
  return vectors
}

const layerOf = (seed: number, dim: number, length: number) =>
  new TokenPositionEmbedding({ vocabSize: 50257, contextLength: length, dim, generator: new Generator(seed) })

test('the vectors equal those of the library for the seed', async (t) => {
  const cwd = folder()
  const said = await output(
    t,
    ['embed', 'a.txt', 'b.txt', 'empty.txt', '--seed', '123', ...SMALL, '--batch-size', '4', '--out', 'x.safetensors'],
    { cwd },
  )
  const [a, b] = [windowsOf(TEXT, 6), windowsOf(SHORT, 6)]
  const windows = [...a, ...b]
  const tensors = loadSafetensors(join(cwd, 'x.safetensors'))
  t.deepEqual([...tensors.keys()].sort(), ['embeddings', 'file_windows', 'ids', 'lengths'])
  const { embeddings, ids, lengths, file_windows } = Object.fromEntries(tensors)
  t.deepEqual(embeddings.shape, [windows.length, 6, 8])
  t.is(digest(embeddings), digest(vectorsOf(windows, 6, layerOf(123, 8, 6), 8)))
  t.deepEqual(
    ids.toArray(),
    windows.map((window) => [...window, ...Array(6 - window.length).fill(0)]),
  )
  t.deepEqual(
    lengths.toArray(),
    windows.map(({ length }) => length),
  )
  t.deepEqual(file_windows.toArray(), [
    [0, a.length],
    [a.length, windows.length],
    [windows.length, windows.length],
  ])
  const lines = said.split('\n')
  t.is(lines[1], 'b.txt: 2 tokens in 1 window')
  t.is(lines[2], 'empty.txt: 0 tokens in 0 windows')
  t.regex(lines[3], /^x\.safetensors: float32 \[\d+, 6, 8\], [\d.]+ kB, [\d.]+ s, [\d.]+K? tokens\/s$/)
})

test('the same seed gives the same file, and another seed another file', async (t) => {
  const cwd = folder()
  const bytes: Buffer[] = []
  for (const [name, seed] of [
    ['x', '7'],
    ['y', '7'],
    ['z', '8'],
  ]) {
    await output(t, ['embed', 'a.txt', ...SMALL, '--seed', seed, '--quiet', '--out', `${name}.safetensors`], { cwd })
    bytes.push(readFileSync(join(cwd, `${name}.safetensors`)))
  }
  t.deepEqual(bytes[0], bytes[1])
  t.notDeepEqual(bytes[0], bytes[2])
})

test('overlapping windows cover each token', async (t) => {
  const cwd = folder()
  for (const stride of [1, 4, 5]) {
    await output(
      t,
      ['embed', 'a.txt', 'b.txt', ...SMALL, '--stride', String(stride), '--quiet', '--out', 'x.safetensors'],
      { cwd },
    )
    const windows = [...windowsOf(TEXT, 6, stride), ...windowsOf(SHORT, 6, stride)]
    const tensors = loadSafetensors(join(cwd, 'x.safetensors'))
    t.deepEqual(
      tensors.get('lengths')!.toArray(),
      windows.map(({ length }) => length),
      `stride ${stride}`,
    )
    t.is(digest(tensors.get('embeddings')!), digest(vectorsOf(windows, 6, layerOf(0, 8, 6), 8)), `stride ${stride}`)
  }
})

test('writes .npy files, half precision, and vectors without positions', async (t) => {
  const cwd = folder()
  await output(t, ['embed', 'b.txt', ...SMALL, '--no-positions', '--quiet', '--out', 'x.npy'], { cwd })
  const expected = vectorsOf(windowsOf(SHORT, 6), 6, new Embedding(50257, 8, { generator: new Generator(0) }), 8)
  t.is(digest(loadNpy(join(cwd, 'x.npy'))), digest(expected))
  for (const dtype of ['float16', 'bfloat16'] as const) {
    await output(
      t,
      ['embed', 'b.txt', ...SMALL, '--no-positions', '--quiet', '--dtype', dtype, '--out', 'x.safetensors'],
      { cwd },
    )
    const found = loadSafetensors(join(cwd, 'x.safetensors')).get('embeddings')!
    t.is(found.dtype, dtype)
    t.is(digest(found), digest(expected.to(dtype)))
  }
})

test('uses tables from files', async (t) => {
  const cwd = folder()
  const path = (name: string) => join(cwd, name)
  const table = randn([50304, 5], { generator: new Generator(1) })
  const positions = randn([9, 5], { generator: new Generator(2) })
  saveSafetensors(path('one.safetensors'), { table })
  saveSafetensors(path('two.safetensors'), { 'a:b': table.to('float16'), positions })
  const windows = windowsOf(SHORT, 6)
  const embed = async (...args: string[]) => {
    await output(t, ['embed', 'b.txt', '--max-length', '6', ...args, '--quiet', '--out', 'x.safetensors'], { cwd })
    return digest(loadSafetensors(path('x.safetensors')).get('embeddings')!)
  }
  const first = table.narrow(0, 0, 50257)
  const bare = Embedding.fromPretrained(first)
  t.is(await embed('--table', 'one.safetensors', '--no-positions'), digest(vectorsOf(windows, 6, bare, 5)))
  const layer = layerOf(3, 5, 6)
  layer.token.weight = first
  t.is(
    await embed('--table', 'one.safetensors:table', '--dim', '5', '--seed', '3'),
    digest(vectorsOf(windows, 6, layer, 5)),
    'positions as drawn after a token table',
  )
  layer.position.weight = positions.narrow(0, 0, 6)
  const both = ['--table', 'one.safetensors', '--position-table', 'two.safetensors:positions']
  t.is(await embed(...both), digest(vectorsOf(windows, 6, layer, 5)))
  layer.token.weight = first.to('float16').to('float32')
  t.is(
    await embed('--table', path('two.safetensors:a:b'), '--position-table', 'two.safetensors:positions'),
    digest(vectorsOf(windows, 6, layer, 5)),
  )
})

test('tables written by --tables-out give the same vectors again', async (t) => {
  const cwd = folder()
  await output(
    t,
    ['embed', 'a.txt', ...SMALL, '--seed', '5', '--tables-out', 't.safetensors', '--quiet', '-o', 'x.npy'],
    { cwd },
  )
  const tables = ['--table', 't.safetensors:token.weight', '--position-table', 't.safetensors:position.weight']
  await output(t, ['embed', 'a.txt', '--max-length', '6', ...tables, '--quiet', '-o', 'y.npy'], { cwd })
  t.deepEqual(readFileSync(join(cwd, 'y.npy')), readFileSync(join(cwd, 'x.npy')))
})

test('reads patterns, compressed files and stdin', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'packed.txt.gz'), gzipSync(TEXT))
  writeFileSync(join(cwd, 'a[1].txt'), SHORT)
  const files = async (...args: string[]) => {
    const said = await output(t, ['embed', ...args, ...SMALL, '--json', '--out', 'x.npy'], { cwd, input: TEXT })
    return JSON.parse(said).files.map(({ name, tokens }: { name: string; tokens: number }) => [name, tokens])
  }
  const all = tokenizer.encode(TEXT).length
  t.deepEqual(await files('**/*.txt'), [
    ['a.txt', all],
    ['a[1].txt', 2],
    ['b.txt', 2],
    ['empty.txt', 0],
    ['more/c.txt', tokenizer.encode(ISHMAEL).length],
  ])
  t.deepEqual(
    await files('a.txt', '[ab].txt'),
    [
      ['a.txt', all],
      ['b.txt', 2],
    ],
    'a file that is named twice counts once',
  )
  t.deepEqual(await files('a[1].txt'), [['a[1].txt', 2]], 'a file of that name goes before a pattern')
  t.deepEqual(await files('packed.txt.gz'), [['packed.txt.gz', all]])
  t.deepEqual(await files(), [['-', all]])
  t.deepEqual(await files('b.txt', '-'), [
    ['b.txt', 2],
    ['-', all],
  ])
})

test('the ids of stdin do not depend on where its pieces end', async (t) => {
  const cwd = folder()
  const child = start(['embed', ...SMALL, '--quiet', '--out', 'x.safetensors'], { cwd })
  const end = ended(child)
  for (const byte of Buffer.from(TEXT)) child.stdin!.write(Uint8Array.of(byte))
  child.stdin!.end()
  t.like(await end, { code: 0, stderr: '' })
  t.deepEqual(
    loadSafetensors(join(cwd, 'x.safetensors')).get('lengths')!.toArray(),
    windowsOf(TEXT, 6).map(({ length }) => length),
  )
})

test('--json prints the result', async (t) => {
  const cwd = folder()
  const { seconds, tokensPerSecond, bytes, ...rest } = JSON.parse(
    await output(t, ['embed', 'b.txt', ...SMALL, '--json', '--quiet', '-o', 'x.npy'], { cwd }),
  )
  t.true(seconds > 0 && tokensPerSecond > 0)
  t.is(bytes, readFileSync(join(cwd, 'x.npy')).length)
  t.deepEqual(rest, {
    out: 'x.npy',
    shape: [1, 6, 8],
    dtype: 'float32',
    tokens: 2,
    windows: 1,
    tokenizer: 'gpt2',
    seed: 0,
    files: [{ name: 'b.txt', tokens: 2, windows: [0, 1] }],
  })
})

test('a seed of any length is a number in JSON', async (t) => {
  for (const seed of ['7', '-1', String(2n ** 64n - 1n)]) {
    const said = await output(t, ['embed', 'b.txt', ...SMALL, '--seed', seed, '--json', '-o', 'x.npy'], {
      cwd: folder(),
    })
    t.true(said.includes(`"seed":${seed},"files"`), said)
    t.is(JSON.parse(said).seed, Number(seed))
  }
})

test('--quiet prints nothing', async (t) => {
  t.is(await output(t, ['embed', 'b.txt', ...SMALL, '-q', '-o', 'x.npy'], { cwd: folder() }), '')
})

test('an existing file is replaced, and no temporary file is left', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'x.npy'), 'old')
  const before = readdirSync(cwd)
  await output(t, ['embed', 'b.txt', ...SMALL, '-q', '-o', 'x.npy'], { cwd })
  t.deepEqual(readdirSync(cwd), before)
  t.is(loadNpy(join(cwd, 'x.npy')).shape[0], 1)
})

test('--allowed-special decides about special tokens', async (t) => {
  const cwd = folder()
  const input = 'a<|endoftext|>b'
  const ids = async (allowed: string) => {
    await output(t, ['embed', ...SMALL, '-q', '-o', 'x.safetensors', '--allowed-special', allowed], { cwd, input })
    return loadSafetensors(join(cwd, 'x.safetensors')).get('ids')!.toArray().flat()
  }
  t.deepEqual((await ids('all')).slice(0, 3), [64, 50256, 65])
  t.deepEqual((await ids('<|endoftext|>')).slice(0, 3), [64, 50256, 65])
  t.false((await ids('none')).includes(50256))
})

test('bytes that are not UTF-8 can be replaced', async (t) => {
  const cwd = folder()
  const input = Buffer.from([0x61, 0xff, 0x62, 0xe2])
  writeFileSync(join(cwd, 'bad.txt'), input)
  const ids = async (...args: string[]) => {
    await output(t, ['embed', ...args, ...SMALL, '-q', '-o', 'x.safetensors', '--invalid-utf8', 'replace'], {
      cwd,
      input,
    })
    return loadSafetensors(join(cwd, 'x.safetensors')).get('ids')!.toArray()
  }
  const expected = [...tokenizer.encode('a\ufffdb\ufffd')]
  t.deepEqual(await ids('bad.txt'), [[...expected, 0, 0].slice(0, 6)])
  t.deepEqual(await ids('-'), await ids('bad.txt'))
})

const inPython = python ? test : test.skip
inPython('numpy and safetensors read what was written', async (t) => {
  const cwd = folder()
  await command(['embed', 'a.txt', 'b.txt', ...SMALL, '-q', '-o', 'x.safetensors'], { cwd })
  await command(['embed', 'a.txt', 'b.txt', ...SMALL, '-q', '-o', 'x.npy'], { cwd })
  const script = `
import json, sys, numpy
from safetensors import safe_open
x = numpy.load(sys.argv[2])
with safe_open(sys.argv[1], 'numpy') as f:
    same = bool((f.get_tensor('embeddings') == x).all())
    print(json.dumps([same, list(x.shape), str(f.get_tensor('ids').dtype), f.get_tensor('file_windows').tolist(), f.metadata()]))
`
  const [same, shape, ids, windows, metadata] = runPython(script, join(cwd, 'x.safetensors'), join(cwd, 'x.npy'))
  const count = windowsOf(TEXT, 6).length
  t.true(same)
  t.deepEqual(shape, [count + 1, 6, 8])
  t.is(ids, 'int32')
  t.deepEqual(windows, [
    [0, count],
    [count, count + 1],
  ])
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../../package.json'), 'utf8'))
  t.deepEqual(metadata, {
    tokenbed: version,
    tokenizer: 'gpt2',
    dim: '8',
    max_length: '6',
    stride: '6',
    seed: '0',
    table: 'drawn',
    position_table: 'drawn',
    files: '["a.txt", "b.txt"]'.replace(' ', ''),
  })
})
