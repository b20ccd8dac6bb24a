// What it takes to open somebody's model: milliseconds and memory, in fresh processes.

import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Embedding, Generator, loadGGUF, rand, TensorWriter, zeros } from '../../index.js'
import { inChildren } from '../child.js'
import { writeFastText } from '../fasttext-file.js'
import { writeGGUF } from '../gguf-file.js'
import { interleave, median } from '../measure.js'
import { runPython } from '../peers/python.js'
import type { Report } from '../report.js'

const [VOCABULARY, DIM, BLOCKS] = [64_000, 2048, 32]
const RUNS = 7

interface Opened {
  ms: number
  grown: number
}

export async function open(report: Report): Promise<void> {
  report.paragraph(
    'Milliseconds from a path to a model whose token table can be looked up, and megabytes by which the process grew; medians of 7 fresh processes, loading the package not included. The files have holes for elements, which nothing reads.',
  )
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  try {
    const rows: string[][] = []
    const safetensors = ['safetensors', 'open_folder.py']
    for (const [name, path, library, script] of [
      ['8 files, 2 GB', sharded(join(folder, 'shards')), ...safetensors],
      ['an index of 20 MB, for 195,000 tensors', indexed(join(folder, 'index')), ...safetensors],
      ['a GGUF of 1 GB, 128,000 tokens, 280,000 merges', vocabulary(join(folder, 'a.gguf')), 'gguf', 'open_gguf.py'],
    ]) {
      const runs = inChildren(RUNS, 'openFolder', [path])
      const peer = await runPython<Opened[]>(`${library} in Python`, script, path, RUNS)
      if (!('peer' in peer)) report.missing(peer.name, peer.why)
      rows.push([name, ...cells(runs), ...('peer' in peer ? cells(peer.peer) : ['', ''])])
    }
    report.table(['', 'tokenbed, ms', 'MB', 'its library in Python (safetensors, gguf), ms', 'MB'], rows)
    blocks(report, join(folder, 'blocks.gguf'))
    cold(report, join(folder, 'cold.npy'))
    await fastText(report, folder)
    await glove(report, join(folder, 'glove.txt'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const cells = (runs: readonly Opened[]) => [
  median(runs.map(({ ms }) => ms)).toFixed(1),
  (median(runs.map(({ grown }) => grown)) / 2 ** 20).toFixed(1),
]

type Shapes = Record<string, readonly number[]>

/** A safetensors file of bfloat16 tensors, whose elements are a hole. */
function writeTensors(path: string, shapes: Shapes): void {
  let end = 0
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const start = end
      end += 2 * shape.reduce((all, size) => all * size, 1)
      return [name, { dtype: 'BF16', shape, data_offsets: [start, end] }]
    }),
  )
  const text = JSON.stringify(header)
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  const file = openSync(path, 'w')
  writeSync(file, Buffer.concat([length, padded]))
  ftruncateSync(file, 8 + padded.length + end)
  closeSync(file)
}

function writeFolder(folder: string, index: Record<string, string>): string {
  const config = { model_type: 'llama', vocab_size: VOCABULARY, hidden_size: DIM, tie_word_embeddings: false }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: index }, null, 2),
  )
  return folder
}

/** A GGUF of 1 GB with a large vocabulary. */
function vocabulary(path: string): string {
  const words = (count: number, of: (i: number) => string) => Array.from({ length: count }, (_, i) => of(i))
  const metadata = {
    'general.architecture': 'llama',
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.tokens': words(128_000, (i) => `token${i}`),
    'tokenizer.ggml.merges': words(280_000, (i) => `left${i} right${i}`),
  }
  const table = { type: 8, rows: 128_000, dim: 4096, rowBytes: (4096 / 32) * 34 }
  const head = { ...table, type: 14, rowBytes: (4096 / 256) * 210 }
  writeGGUF(path, metadata, [
    { name: 'token_embd.weight', ...table },
    { name: 'output.weight', ...head },
  ])
  return path
}

/** Lookups in mapped tables of blocks, against those in a mapped table of float32. */
function blocks(report: Report, path: string): void {
  const [rows, dim] = [16_384, 2048]
  const random = new Generator(3)
  const kinds = [
    { name: 'float32', type: 0, rowBytes: 4 * dim },
    { name: 'q8_0', type: 8, rowBytes: (dim / 32) * 34 },
    { name: 'q4_0', type: 2, rowBytes: (dim / 32) * 18 },
    { name: 'q4_k', type: 12, rowBytes: (dim / 256) * 144 },
    { name: 'q5_k', type: 13, rowBytes: (dim / 256) * 176 },
    { name: 'q6_k', type: 14, rowBytes: (dim / 256) * 210 },
  ]
  const whole = (rowBytes: number) => {
    const bytes = new Uint8Array(rows * rowBytes)
    // A byte below 60 at the end of a half makes an ordinary number of it.
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2_654_435_761) % 60
    return bytes
  }
  writeGGUF(
    path,
    {},
    kinds.map((kind) => ({ ...kind, rows, dim, bytes: whole(kind.rowBytes) })),
  )
  const { tensors } = loadGGUF(path)
  const ids = rand([2048], { generator: random }).mul(rows).to('int32')
  const out = zeros([2048, dim])
  const results = interleave(
    kinds.map(({ name }) => {
      const layer = Embedding.fromPretrained(tensors.get(name)!)
      return { name, run: () => layer.forward(ids, { out }) }
    }),
    15,
    20,
  )
  report.paragraph('Lookups of 2,048 of 16,384 rows of 2,048 in mapped tables, warm, into a float32 tensor.')
  const speed = ({ median }: { median: number }) => 2048 / median
  report.table(
    ['rows of', 'million rows a second', 'of float32'],
    results.map((result) => [
      result.name,
      speed(result).toFixed(2),
      `${(speed(result) / speed(results[0])).toFixed(2)}x`,
    ]),
  )
}

/**
 * Lookups in a mapped table of which no page is in memory, against copies of the same rows, one page after the other.
 */
function cold(report: Report, path: string): void {
  const [rows, dim] = [100_000, 768]
  const writer = new TensorWriter(path, { rows: { dtype: 'float32', shape: [dim] } })
  const block = rand([1000, dim], { generator: new Generator(4) })
  for (let row = 0; row < rows; row += 1000) writer.write('rows', block)
  writer.close()
  const ms: Record<'lookup' | 'copies', number[]> = { lookup: [], copies: [] }
  for (let round = 0; round < RUNS; round++) {
    for (const how of ['lookup', 'copies'] as const) {
      try {
        // The system forgets the pages of this file.
        execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
      } catch (error) {
        return report.missing('cold lookups', `dd cannot drop the pages of a file (${(error as Error).message})`)
      }
      ms[how].push(inChildren(1, 'coldRows', [path, how])[0].ms)
    }
  }
  const [lookup, copies] = [median(ms.lookup), median(ms.copies)]
  report.paragraph(
    `The first lookup of 2,048 rows of a mapped table of (${rows.toLocaleString('en')}, ${dim}) float32, of which nothing is in memory: ${lookup.toFixed(1)} ms. The same rows copied without asking for them ahead: ${copies.toFixed(1)} ms, ${(copies / lookup).toFixed(1)}x. Medians of ${RUNS} fresh processes each, in turns.`,
  )
}

/** A model of fastText of two million words, and a smaller one with which the libraries have memory enough. */
async function fastText(report: Report, folder: string): Promise<void> {
  report.paragraph(
    'Models of fastText (.bin, 100 numbers a row, as many buckets as words): milliseconds and megabytes to open one, then for the first vector, when tokenbed indexes the words, for the list of all words, and for one search among them. The matrices of the larger one are a hole. fastText and gensim read all of a file when they open it.',
  )
  const rows: string[][] = []
  for (const [words, filled] of [
    [2_000_000, false],
    [200_000, true],
  ] as const) {
    const path = writeFastText(join(folder, `${words}.bin`), words, 100, filled)
    const name = `${words.toLocaleString('en')} words`
    const runs = inChildren(filled ? RUNS : 3, 'openFastText', [path, String(filled)])
    const step = (of: (run: (typeof runs)[number]) => Opened) => cells(runs.map(of)).join(' ms, ') + ' MB'
    const search = filled ? step(({ search }) => search) : ''
    rows.push([name, 'tokenbed', step((run) => run.opened), step((run) => run.first), step((run) => run.words), search])
    if (!filled) continue
    for (const library of ['fasttext', 'gensim']) {
      const peer = await runPython<{ opened: Opened; first: Opened }[]>(library, 'open_fasttext.py', library, path, 3)
      if (!('peer' in peer)) {
        report.missing(peer.name, peer.why)
        continue
      }
      const of = (pick: (run: { opened: Opened; first: Opened }) => Opened) =>
        `${cells(peer.peer.map(pick)).join(' ms, ')} MB`
      rows.push([name, library, of((run) => run.opened), of((run) => run.first), '', ''])
    }
  }
  report.table(['', '', 'open', 'first vector', 'all words', 'a search'], rows)
}

const [WORDS, NUMBERS] = [400_000, 100]

/** A text of GloVe, on one thread and on all, against gensim. */
async function glove(report: Report, path: string): Promise<void> {
  const random = rand([100_003], { generator: new Generator(5) }).data as Float32Array
  const file = openSync(path, 'w')
  for (let first = 0; first < WORDS; first += 1000) {
    const lines = Array.from({ length: 1000 }, (_, i) => {
      const row = first + i
      const numbers = Array.from({ length: NUMBERS }, (_, j) =>
        (random[(row * 131 + j * 7) % random.length] * 2 - 1).toFixed(6),
      )
      return `word${row} ${numbers.join(' ')}\n`
    })
    writeSync(file, lines.join(''))
  }
  closeSync(file)
  const runs = (env: Record<string, string>) => inChildren(3, 'readGlove', [path], env)
  const row = (name: string, found: readonly Opened[]) => [
    name,
    (median(found.map(({ ms }) => ms)) / 1e3).toFixed(2),
    (median(found.map(({ grown }) => grown)) / 2 ** 20).toFixed(0),
  ]
  const rows = [row('tokenbed, one thread', runs({ TOKENBED_NUM_THREADS: '1' })), row('tokenbed', runs({}))]
  const peer = await runPython<Opened & { version: string }>('gensim', 'gensim_glove.py', path)
  if ('peer' in peer) rows.push(row(`gensim ${peer.peer.version}`, [peer.peer]))
  else report.missing(peer.name, peer.why)
  const megabytes = ((WORDS * NUMBERS * 4) / 2 ** 20).toFixed(0)
  report.paragraph(
    `A text of GloVe, ${WORDS.toLocaleString('en')} words of ${NUMBERS} numbers, whose table has ${megabytes} MB: seconds, and the most megabytes by which the process grew.`,
  )
  report.table(['', 's', 'MB'], rows)
}

/** A model of 2 GB in eight files. */
function sharded(folder: string): string {
  mkdirSync(folder)
  const square = [DIM, DIM]
  const shapes: Shapes = { 'model.embed_tokens.weight': [VOCABULARY, DIM], 'lm_head.weight': [VOCABULARY, DIM] }
  for (let i = 0; i < BLOCKS; i++) {
    for (const name of ['self_attn.q_proj', 'self_attn.o_proj', 'mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'])
      shapes[`model.layers.${i}.${name}.weight`] = square
    for (const name of ['self_attn.k_proj', 'self_attn.v_proj']) shapes[`model.layers.${i}.${name}.weight`] = [512, DIM]
  }
  const names = Object.keys(shapes)
  const each = Math.ceil(names.length / 8)
  const index: Record<string, string> = {}
  for (let part = 0; part < 8; part++) {
    const file = `model-0000${part + 1}-of-00008.safetensors`
    const its = names.slice(part * each, (part + 1) * each)
    writeTensors(join(folder, file), Object.fromEntries(its.map((name) => [name, shapes[name]])))
    for (const name of its) index[name] = file
  }
  return writeFolder(folder, index)
}

/** A model of experts: its index alone is large. */
function indexed(folder: string): string {
  mkdirSync(folder)
  const first = 'model-00001-of-00160.safetensors'
  writeTensors(join(folder, first), { 'model.embed_tokens.weight': [VOCABULARY, DIM] })
  const index: Record<string, string> = { 'model.embed_tokens.weight': first }
  for (let i = 0; i < 195_000; i++) {
    const file = `model-${String((i % 160) + 1).padStart(5, '0')}-of-00160.safetensors`
    index[`model.layers.${Math.floor(i / 800)}.mlp.experts.${i % 800}.gate_proj.weight_scale_inv`] = file
  }
  return writeFolder(folder, index)
}
