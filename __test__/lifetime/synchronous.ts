// Native memory of garbage in code that never returns to the event loop.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AdamW,
  Embedding,
  EmbeddingBag,
  Generator,
  loadNpy,
  loadSafetensors,
  memoryUsage,
  quantize,
  randn,
  RotaryEmbedding,
  saveNpy,
  saveSafetensors,
  TokenPositionEmbedding,
  Tokenizer,
  Vectors,
  zeros,
  type Tensor,
} from '../../index.js'
import { native } from '../../api/native/native.js'
import { main } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'
import { collect, peakOf } from './measure.js'

const folder = temporaryFolder()
const [ROWS, DIM] = [20_000, 768]
const ids = Int32Array.of(1, 5, ROWS - 1)

/** The most by which the process grows while `run` is called this many times. */
function growth(run: () => void, calls: number): { growth: number } {
  run()
  const before = process.memoryUsage.rss()
  return { growth: peakOf(run, calls) - before }
}

/** A file with a table of 61 MB. */
function table(): string {
  const path = join(folder, 'table.safetensors')
  saveSafetensors(path, { table: randn([ROWS, DIM]) })
  return path
}

/** Reads one element of each page. */
function touch(data: Tensor['data']): number {
  let sum = 0
  for (let i = 0; i < data.length; i += 1024) sum += Number(data[i])
  return sum
}

/** Moves the buffer's memory into another buffer. */
function moved(buffer: ArrayBuffer): ArrayBuffer {
  return 'transfer' in buffer
    ? (buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer()
    : structuredClone(buffer, { transfer: [buffer] })
}

void main({
  /** If they stayed, they would take 6.2 GB. */
  tables: () => growth(() => void new Embedding(50_257, 768), 40),

  /** The same, with the data of each looked at. */
  lookedAt: () => growth(() => void (new Embedding(50_257, 768).weight.data[7] = 1), 40),

  layers: () =>
    growth(() => {
      const layer = new TokenPositionEmbedding({ vocabSize: ROWS, contextLength: 64, dim: DIM, layerNorm: true })
      layer.forward(ids)
      layer.token.weight.narrow(0, 3, 4).sum()
    }, 40),

  /** Gradients, moments, and what an optimizer remembers about rows. */
  trained: () =>
    growth(() => {
      const layer = new Embedding(ROWS, DIM, { sparse: true })
      const optimizer = new AdamW(layer.parameters())
      layer.forward(ids).sum().backward()
      optimizer.step()
    }, 30),

  quantized: () => {
    const weight = randn([ROWS, DIM])
    return growth(
      () =>
        void EmbeddingBag.fromPretrained(quantize(weight, 'float16')).forward([
          [1, 2],
          [3, 4],
        ]),
      60,
    )
  },

  mapped: () => {
    const path = table()
    return growth(() => void loadSafetensors(path, { map: true }).get('table')!.sum().item(), 60)
  },

  mappedAndLookedAt: () => {
    const path = table()
    return growth(() => void touch(loadSafetensors(path, { map: true }).get('table')!.data), 60)
  },

  read: () => {
    const [path, npy] = [table(), join(folder, 'table.npy')]
    saveNpy(npy, zeros([ROWS, DIM]))
    return growth(() => {
      loadSafetensors(path, { map: false })
      touch(loadNpy(npy, { map: false }).data)
    }, 30)
  },

  /** Objects of 5 MB each, with objects that refer to them. */
  tokenizers: () => {
    const path = join(folder, 'tokenizer.json')
    const vocab = Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`token number ${i}`, i]))
    writeFileSync(
      path,
      JSON.stringify({
        version: '1.0',
        added_tokens: [],
        model: { type: 'WordLevel', vocab, unk_token: 'token number 0' },
      }),
    )
    return growth(() => void Tokenizer.fromFile(path).decoder().write([1, 2]), 200)
  },

  /** Many small objects, and objects that grow as they are used. */
  small: () => {
    const generators = growth(() => void new Generator(1), 400_000)
    const rotations = growth(
      () => void new RotaryEmbedding({ dim: 64 }).forward(zeros([1, 30_000, 1, 64])).dispose(),
      100,
    )
    const embedding = new Embedding(10, 4)
    const parts = growth(() => void embedding.weight.narrow(0, 1, 2).sum(), 400_000)
    return { generators: generators.growth, rotations: rotations.growth, parts: parts.growth }
  },

  searched: () => {
    const tokens = Array.from({ length: ROWS }, (_, i) => `w${i}`)
    return growth(() => void new Vectors(new Embedding(ROWS, DIM).weight, tokens).similarity('w1', 'w2'), 30)
  },

  /** Memory that is still looked at stays: arrays of collected tables, and memory that was moved. */
  kept: async () => {
    const arrays: { first: number; last: number; data: Float32Array }[] = []
    const buffers: { first: number; data: Float32Array }[] = []
    const make = (i: number) => {
      const data = new Embedding(ROWS, DIM).weight.data as Float32Array
      if (i % 20 === 0) arrays.push({ first: data[0], last: data[data.length - 1], data })
      else if (i % 20 === 10)
        buffers.push({ first: data[0], data: new Float32Array(moved(data.buffer as ArrayBuffer)) })
      // Memory that was moved and that nobody looks at any more.
      else if (i % 20 === 15) moved(data.buffer as ArrayBuffer)
    }
    for (let i = 0; i < 60; i++) make(i)
    const right = () =>
      arrays.every(({ first, last, data }) => data[0] === first && data[data.length - 1] === last) &&
      buffers.every(({ first, data }) => data.length === ROWS * DIM && data[0] === first)
    const during = right()
    await collect()
    const after = right()
    const tables = memoryUsage().tables
    arrays.length = buffers.length = 0
    await collect()
    return { during, after, tables, left: memoryUsage().tables }
  },

  /** Once the event loop runs, everything is freed, and V8 is told. */
  turned: async () => {
    // The first draw makes the default generator, which stays.
    new Embedding(1, 1)
    await collect()
    const told = native.externalMemory()!
    const make = (i: number) => {
      const { weight } = new Embedding(ROWS, DIM)
      if (i % 2 === 0) touch(weight.data)
    }
    for (let i = 0; i < 12; i++) make(i)
    await collect()
    return { tables: memoryUsage().tables, told: native.externalMemory()! - told }
  },
})
