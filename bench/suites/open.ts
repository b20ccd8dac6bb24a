// What it takes to open somebody's model: milliseconds and memory, in fresh processes.

import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inChildren } from '../child.js'
import { median } from '../measure.js'
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
    for (const [name, path] of [
      ['8 files, 2 GB', sharded(join(folder, 'shards'))],
      ['an index of 20 MB, for 195,000 tensors', indexed(join(folder, 'index'))],
    ]) {
      const runs = inChildren(RUNS, 'openFolder', [path])
      const peer = await runPython<Opened[]>('safetensors in Python', 'open_folder.py', path, RUNS)
      if (!('peer' in peer)) report.missing(peer.name, peer.why)
      rows.push([name, ...cells(runs), ...('peer' in peer ? cells(peer.peer) : ['', ''])])
    }
    report.table(['', 'tokenbed, ms', 'MB', 'safetensors in Python, ms', 'MB'], rows)
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
