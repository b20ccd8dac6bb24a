// Integers that are changed while they are used, by another thread or by a writer of a mapped file.

import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  crossEntropy,
  Embedding,
  EmbeddingBag,
  full,
  loadNpy,
  ones,
  quantize,
  RotaryEmbedding,
  saveNpy,
  SparseGrad,
  tensor,
  Tokenizer,
  TokenbedError,
  TokenPositionEmbedding,
  type Ids,
  type Tensor,
} from '../../index.js'
import { main } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'
import type { Writing } from './written-ids-worker.js'

const [ROWS, DIM, N] = [64, 8, 1 << 15]
/** The value in memory behind a table of ones. Whoever reads too far sees it. */
const OUTSIDE = 777
/** How long integers in each kind of memory are overwritten, in milliseconds. */
const TIME = 200

/** Integers, and a description for the worker that overwrites them. */
type Written = (values: Int32Array) => { ids: Ids; to: Writing['to'] }

const MEMORIES: Record<string, Written> = {
  'a tensor that is shared': (values) => {
    const ids = tensor(values)
    return { ids, to: ids.share() }
  },
  'an array over such a tensor': (values) => {
    const ids = tensor(values)
    const to = ids.share()
    return { ids: ids.data as Int32Array, to }
  },
  'a SharedArrayBuffer': (values) => {
    const ids = new Int32Array(new SharedArrayBuffer(values.byteLength))
    ids.set(values)
    return { ids, to: ids }
  },
  'a mapped file': (values) => {
    const path = join(temporaryFolder(), 'ids.npy')
    saveNpy(path, tensor(values))
    return { ids: loadNpy(path), to: { path, start: statSync(path).size - values.byteLength } }
  },
}

/** A table of ones that is followed by other values. */
function table(rows = ROWS): Tensor {
  const memory = full([2 * rows, DIM], OUTSIDE)
  memory.share()
  const own = memory.narrow(0, 0, rows)
  own.set(new Float32Array(rows * DIM).fill(1))
  return own
}

/** Whether the memory behind a table is unchanged. */
const isWhole = (memory: Tensor, rows = ROWS) =>
  (memory.data as Float32Array).subarray(rows * DIM).every((x) => x === OUTSIDE)

/** The indices at which integers are overwritten. */
const placesOf = (size: number) => [0, 1, size / 2, size - 1]

/** Counts unexpected values in the rows of a result that depend on overwritten integers, `ids` integers to a row. */
function others(result: Tensor, wanted: number, ids = 1): number {
  const data = result.data as Float32Array
  let count = 0
  for (const place of placesOf(N)) {
    const at = Math.floor(place / ids) * DIM
    for (let i = at; i < at + DIM; i++) if (data[i] !== wanted) count++
  }
  result.dispose()
  return count
}

/**
 * Calls `use` with integers below `rows` while they are overwritten, in every kind of memory, with numbers far beyond
 * the table and just behind it. `use` returns how many wrong values it found.
 */
async function whileWritten(values: Int32Array, rows: number, use: (ids: Ids) => number | Promise<number>) {
  const found = { calls: 0, refused: 0, wrong: 0, codes: [] as string[] }
  const codes = new Set<string>()
  for (const make of Object.values(MEMORIES)) {
    const { ids, to } = make(values)
    const places = placesOf(values.length)
    const writing: Writing = { to, places, good: places.map((at) => values[at]), bad: [rows + 3, 0x7ffffff0] }
    const worker = new Worker(join(__dirname, 'written-ids-worker.js'), { workerData: writing })
    await once(worker, 'message')
    for (const end = performance.now() + TIME; performance.now() < end;) {
      found.calls++
      try {
        found.wrong += await use(ids)
      } catch (error) {
        if (!(error instanceof TokenbedError) || error.code === 'INTERNAL') throw error
        codes.add(error.code)
        found.refused++
      }
    }
    await worker.terminate()
  }
  found.codes = [...codes].sort()
  return found
}

const zeros = new Int32Array(N)
const offsets = Int32Array.from({ length: N / 8 }, (_, i) => 8 * i)
const layerOptions = { vocabSize: ROWS, contextLength: ROWS, segments: ROWS, dim: DIM }

function inputLayer(): TokenPositionEmbedding {
  const layer = new TokenPositionEmbedding(layerOptions)
  layer.token.weight = table()
  layer.position.weight = table()
  layer.segment!.weight = table()
  return layer
}

void main({
  embedding: () => {
    const layer = Embedding.fromPretrained(table())
    return whileWritten(zeros, ROWS, (ids) => others(layer.forward(ids), 1))
  },

  maxNorm: async () => {
    const memory = full([2 * ROWS, DIM], OUTSIDE)
    memory.share()
    const layer = Embedding.fromPretrained(memory.narrow(0, 0, ROWS), { maxNorm: 1 })
    const found = await whileWritten(zeros, ROWS, (ids) => {
      layer.forward(ids).dispose()
      return 0
    })
    return { ...found, wrong: isWhole(memory) ? 0 : 1 }
  },

  bag: () => {
    const layer = EmbeddingBag.fromPretrained(table(), { mode: 'sum' })
    const perSampleWeights = ones([N])
    return whileWritten(
      zeros,
      ROWS,
      (ids) =>
        others(layer.forward(ids, offsets), 8, 8) + others(layer.forward(ids, offsets, { perSampleWeights }), 8, 8),
    )
  },

  bagOfBytes: () => {
    const memory = table()
    const layer = EmbeddingBag.fromPretrained(quantize(memory, 'int8'), { mode: 'mean' })
    return whileWritten(zeros, ROWS, (ids) => others(layer.forward(ids, offsets), 1, 8))
  },

  offsets: () => {
    const layer = EmbeddingBag.fromPretrained(table(), { mode: 'mean' })
    return whileWritten(offsets, N, (offsets) => {
      const result = layer.forward(zeros, offsets)
      const wrong = (result.data as Float32Array).filter((x) => x !== 1 && x !== 0).length
      result.dispose()
      return wrong
    })
  },

  tokens: () => {
    const layer = inputLayer()
    return whileWritten(zeros, ROWS, (ids) => others(layer.forward(ids, { shape: [N / 8, 8] }), 3))
  },

  positions: () => {
    const layer = inputLayer()
    return whileWritten(zeros, ROWS, (positions) => others(layer.forward(zeros, { positions }), 3))
  },

  segments: () => {
    const layer = inputLayer()
    const positions = zeros
    return whileWritten(zeros, ROWS, (segments) => others(layer.forward(zeros, { positions, segments }), 3))
  },

  targets: () => {
    const logits = full([N, DIM], 0)
    const loss = Math.fround(Math.log(DIM))
    return whileWritten(zeros, DIM, (targets) => {
      const losses = crossEntropy(logits, targets, { reduction: 'none' })
      const wrong = (losses.data as Float32Array).filter((x) => Math.abs(x - loss) > 1e-6).length
      losses.dispose()
      return wrong
    })
  },

  backward: () => {
    const layer = new Embedding(ROWS, DIM)
    const bag = new EmbeddingBag(ROWS, DIM, { mode: 'max' })
    const [gradient, ofBags] = [ones([N, DIM]), ones([N / 8, DIM])]
    return whileWritten(zeros, ROWS, (ids) => {
      layer.weight.grad = bag.weight.grad = null
      layer.forward(ids).backward(gradient)
      bag.forward(ids, offsets).backward(ofBags)
      const sums = [layer, bag].map(({ weight }) => (weight.grad as Tensor).sum().item())
      return sums.filter((sum, i) => sum !== (i === 0 ? N : N / 8) * DIM).length
    })
  },

  sparse: () => {
    const weight = table()
    const n = ROWS / 2
    const rows = ones([n, DIM])
    const named = Int32Array.from({ length: n }, (_, i) => i)
    return whileWritten(named, ROWS, (ids) => {
      if (ArrayBuffer.isView(ids)) return 0
      const dense = SparseGrad.over(ids as Tensor, rows, weight.shape).toDense()
      const wrong = (dense.data as Float32Array).filter((x) => x !== 1 && x !== 0).length
      dense.dispose()
      return wrong
    })
  },

  async: () => {
    const memory = table()
    const [layer, bag] = [Embedding.fromPretrained(memory), EmbeddingBag.fromPretrained(memory, { mode: 'sum' })]
    return whileWritten(
      zeros,
      ROWS,
      async (ids) => others(await layer.forwardAsync(ids), 1) + others(await bag.forwardAsync(ids, offsets), 8, 8),
    )
  },

  rotary: () => {
    const rotary = new RotaryEmbedding({ dim: DIM })
    const x = ones([N, 1, DIM])
    return whileWritten(zeros, 1 << 20, (positions) => {
      const result = rotary.forward(x, { positions })
      const wrong = (result.data as Float32Array).filter((x) => !(Math.abs(x) <= 1.5)).length
      result.dispose()
      return wrong
    })
  },

  decode: async () => {
    const tokenizer = Tokenizer.load('gpt2')
    const wanted = tokenizer.decode(zeros)
    return whileWritten(zeros, tokenizer.vocabSize, (ids) => Number(tokenizer.decode(ids) !== wanted))
  },
})
