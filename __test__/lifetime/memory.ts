// Memory over many calls, and what memoryUsage reports.

import {
  Embedding,
  memoryUsage,
  scope,
  setNumThreads,
  TokenPositionEmbedding,
  zeros,
  type Tensor,
} from '../../index.js'
import { native } from '../../api/native/native.js'
import { main } from '../support/child.js'
import { anonymous, collect, faultsPerCall, hugePages, MB, peakOf } from './measure.js'

const [ROWS, DIM] = [1000, 768]
const large = () => Int32Array.from({ length: 32 * 1024 }, (_, i) => (i * 7919) % ROWS)

function growth(before: ReturnType<typeof held>): { held: number; anonymous: number } {
  const after = held()
  return { held: after.total - before.total, anonymous: after.anonymous - before.anonymous }
}

/** What V8 counts as external, including its own buffers. Node's `external` contains only those. */
const external = () => native.externalMemory()!

const held = () => ({ total: memoryUsage().total, anonymous: anonymous() })

void main({
  /** A million results in one synchronous run, none of which is disposed. */
  million: () => {
    const embedding = new Embedding(100, 16)
    const ids = Int32Array.of(1, 2, 3, 4)
    const start = process.memoryUsage.rss()
    return { growth: peakOf(() => embedding.forward(ids), 1_000_000) - start }
  },

  /** Results of 32 KB each. If they stayed, they would take 6 GB. */
  manyKilobytes: () => {
    const embedding = new Embedding(100, 256)
    const ids = Int32Array.from({ length: 32 }, (_, i) => i)
    const start = process.memoryUsage.rss()
    return { growth: peakOf(() => embedding.forward(ids), 200_000) - start }
  },

  /** Results of 100 MB each. If they stayed, they would take 4 GB. */
  manyMegabytes: () => {
    const [embedding, ids] = [new Embedding(ROWS, DIM), large()]
    const start = process.memoryUsage.rss()
    return { growth: peakOf(() => embedding.forward(ids), 40) - start }
  },

  /** Page faults per call, after warming up. */
  steady: () => {
    const [embedding, ids] = [new Embedding(ROWS, DIM), large()]
    const layer = new TokenPositionEmbedding({ vocabSize: ROWS, contextLength: 1024, dim: DIM })
    const shape = [32, 1024]
    const out = zeros([...shape, DIM])
    const runs = {
      out: () => void embedding.forward(ids, { shape, out }),
      dispose: () => embedding.forward(ids, { shape }).dispose(),
      scope: () => scope(() => void embedding.forward(ids, { shape })),
      positions: () => void layer.forward(ids, { shape, out }),
      positionsDispose: () => layer.forward(ids, { shape }).dispose(),
    }
    return Object.fromEntries(
      Object.entries(runs).map(([name, run]) => {
        for (let i = 0; i < 3; i++) run()
        return [name, faultsPerCall(run, 10)]
      }),
    )
  },

  /** Page faults at sizes from a kilobyte to more than a huge page, on one thread and on several. */
  steadySizes: () => {
    const faults: Record<string, number> = {}
    for (const threads of [1, 3]) {
      setNumThreads(threads)
      for (const length of [1, 4, 32, 300, 1500, 5000, 16_000]) {
        const layer = new TokenPositionEmbedding({
          vocabSize: ROWS,
          contextLength: length,
          dim: DIM,
          segments: 2,
          layerNorm: true,
        })
        const ids = large().subarray(0, length)
        const out = zeros([length, DIM])
        const runs = {
          out: () => void layer.forward(ids, { out }),
          dispose: () => layer.forward(ids).dispose(),
          scope: () => scope(() => void layer.forward(ids)),
          shown: () => {
            const result = layer.forward(ids)
            void result.data
            result.dispose()
          },
        }
        for (const [name, run] of Object.entries(runs)) {
          for (let i = 0; i < 50; i++) run()
          // The minimum of three runs, because V8 sometimes grows its own heap or compiles, which is not due to the
          // call.
          faults[`${name}, ${length} rows, ${threads} threads`] = Math.min(
            ...Array.from({ length: 3 }, () => faultsPerCall(run, 50)),
          )
        }
        for (const x of [...layer.parameters(), out]) x.dispose()
      }
    }
    return faults
  },

  /** Page faults of a fresh large result, which are few with huge pages. */
  fresh: () => {
    const [embedding, ids] = [new Embedding(ROWS, DIM), large()]
    embedding.forward(ids.subarray(0, 100)).dispose()
    const kept: Tensor[] = []
    return { faults: faultsPerCall(() => kept.push(embedding.forward(ids)), 3), hugePages: hugePages() }
  },

  /** The pool never holds more than its limit. */
  pool: () => {
    const tensors = Array.from({ length: 12 }, () => zeros([40 * MB], { dtype: 'uint8' }))
    const before = memoryUsage().pool
    tensors.forEach((x) => x.dispose())
    const full = memoryUsage().pool
    // Memory of another size replaces the buffers that were idle longest.
    zeros([100 * MB], { dtype: 'uint8' }).dispose()
    const after = memoryUsage().pool
    zeros([300 * MB], { dtype: 'uint8' }).dispose()
    return { before, full, after, end: memoryUsage().pool }
  },

  /** Tables that are made and disposed in one synchronous run. */
  tables: () => {
    const make = () => {
      const { weight } = new Embedding(20_000, 256)
      const { tables } = memoryUsage()
      weight.dispose()
      return tables
    }
    const most = make()
    const start = process.memoryUsage.rss()
    const grown = peakOf(make, 30) - start
    return { most, grown, left: memoryUsage().tables }
  },

  /** The garbage collector frees tables that nobody disposes. */
  dropped: async () => {
    let kept: Tensor['data'] | null = (() => new Embedding(5000, 256).weight.data)()
    new Embedding(5000, 256).weight.narrow(0, 1, 2)
    new Embedding(5000, 256).weight.clone().dispose()
    const before = memoryUsage().tables
    await collect()
    const viewed = { tables: memoryUsage().tables, first: Number.isFinite(kept[kept.length - 1]) }
    kept = null
    await collect()
    return { before, viewed, after: memoryUsage().tables }
  },

  /** V8 is told when external memory is freed, exactly as much as it was told before. */
  external: async () => {
    const steps: Record<string, number> = {}
    const step = async (name: string, run: () => void) => {
      await collect()
      const before = external()
      run()
      await collect()
      steps[name] = external() - before
    }
    // The first access to anything makes V8 and Node allocate memory of their own.
    const [warm] = [new Embedding(10, 10)]
    void warm.weight.data
    warm.weight.dispose()
    await step('disposed', () => new Embedding(5000, 256).weight.dispose())
    await step('lookedAt', () => {
      const { weight } = new Embedding(5000, 256)
      void weight.data
      weight.dispose()
    })
    await step('shared', () => {
      const { weight } = new Embedding(5000, 256)
      const part = weight.narrow(0, 0, 5)
      void part.data
      weight.dispose()
      part.dispose()
    })
    await step('dropped', () => void new Embedding(5000, 256))
    await step('lookedAtAndDropped', () => void new Embedding(5000, 256).weight.data)
    const kept: Embedding[] = []
    await step('kept', () => void kept.push(new Embedding(5000, 256)))
    await step('keptAndLookedAt', () => void kept[0].weight.data)
    await step('released', () => kept.pop()!.weight.dispose())
    return steps
  },

  /** Compares memoryUsage with the system's report, from 256 MB on. */
  honestTables: async () => {
    await collect()
    const before = held()
    const tables = [new Embedding(80_000, 768), new Embedding(30_000, 768), new Embedding(1000, 100)]
    const grown = growth(before)
    tables.forEach(({ weight }) => weight.dispose())
    await collect()
    return { grown, left: growth(before) }
  },

  honestResults: async () => {
    const [embedding, ids] = [new Embedding(ROWS, DIM), large()]
    await collect()
    const before = held()
    const results = [embedding.forward(ids), embedding.forward(ids), embedding.forward(ids)]
    const grown = growth(before)
    results.forEach((result) => result.dispose())
    // Disposed memory is idle in the pool and counted there.
    const pooled = growth(before)
    return { grown, pooled }
  },

  honestMixed: async () => {
    await collect()
    const before = held()
    const embedding = new Embedding(60_000, 768)
    const ids = large()
    const results = [embedding.forward(ids), embedding.forward(ids)]
    embedding.forward(ids).dispose()
    return { grown: growth(before), kept: results.length }
  },
})
