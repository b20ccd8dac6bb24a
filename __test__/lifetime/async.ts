// Lookups on other threads: which memory they hold, and for how long.

import { join } from 'node:path'
import { capabilities, Embedding, memoryUsage, scope, Tokenizer } from '../../index.js'
import { native, type Work } from '../../api/native/native.js'
import { main } from '../support/child.js'
import { digest } from '../support/compare.js'
import { collect, MB } from './measure.js'

const own = () => native.nativeUsage()!

/** Peak of the resident size during this many awaited lookups, above the size before. */
async function peak(calls: number, run: () => Promise<void>): Promise<number> {
  const start = process.memoryUsage.rss()
  let most = start
  for (let i = 0; i < calls; i++) {
    await run()
    most = Math.max(most, process.memoryUsage.rss())
  }
  return most - start
}

void main({
  bounded: async () => {
    const embedding = new Embedding(100, 768)
    const ids = Int32Array.from({ length: 3000 }, (_, i) => i % 100) // 9 MB a result
    const first = await embedding.forwardAsync(ids)
    const pooled = own().pooled
    first.dispose()
    const grown = own().pooled - pooled
    const second = await embedding.forwardAsync(ids)
    const reused = Number(grown > 9 * MB && own().pooled === pooled)
    second.dispose()
    const disposed = await peak(200, async () => (await embedding.forwardAsync(ids)).dispose())
    // If they stayed, they would take 6 GB.
    const dropped = await peak(700, async () => void (await embedding.forwardAsync(ids)).data[0])
    const unseen = await peak(700, async () => void (await embedding.forwardAsync(ids)))
    return { disposed, dropped, unseen, reused }
  },

  inFlight: async () => {
    const embedding = new Embedding(100, 768)
    const before = memoryUsage().results
    const pending = Array.from({ length: 300 }, (_, i) => embedding.forwardAsync(new Int32Array(341 + (i % 3) * 100)))
    const done = await Promise.all(pending)
    const held = done.reduce((sum, { size }) => sum + size * 4, 0)
    const results = memoryUsage().results - before
    done.forEach((result) => result.dispose())
    return {
      held,
      results: own().results > 0 ? NaN : results,
      after: memoryUsage().total,
      left: memoryUsage().results - before,
    }
  },

  aborted: async () => {
    const embedding = new Embedding(1000, 768)
    const controller = new AbortController()
    const lookup = () => embedding.forwardAsync(new Int32Array(5000), { signal: controller.signal })
    const pending = Array.from({ length: 300 }, () =>
      lookup().then(
        (result) => (result.dispose(), 0),
        () => 1,
      ),
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort()
    const ended = (await Promise.all(pending)).filter(Boolean).length
    embedding.weight.dispose()
    // One more lookup shows that the queue was worked off.
    await new Embedding(1, 1).forwardAsync([0])
    await collect()
    return { results: own().results, tables: own().tables, ended }
  },

  disposed: async () => {
    // The system may halt this thread until all lookups are done, and then nothing holds the table any more. One of
    // these attempts finds them at work.
    for (let attempt = 0; attempt < 20; attempt++) {
      const embedding = new Embedding(10_000, 256)
      const pending = Array.from({ length: 12 }, () => embedding.forwardAsync(new Int32Array(20_000)))
      embedding.weight.dispose()
      const during = own().tables
      for (const result of await Promise.all(pending)) result.dispose()
      const after = own().tables
      if (during > 0 || after > 0) return { during, after }
    }
    return { during: 0, after: 0 }
  },

  external: async () => {
    const embedding = new Embedding(100, 256)
    const steps: Record<string, number> = {}
    const step = async (name: string, run: () => Promise<unknown>) => {
      await collect()
      const before = native.externalMemory()!
      await run()
      await collect()
      steps[name] = native.externalMemory()! - before
    }
    const lookup = () => embedding.forwardAsync(new Int32Array(2000))
    // The first lookup makes V8 and Node allocate memory of their own.
    void (await lookup()).data
    await collect()
    await step('disposed', async () => (await lookup()).dispose())
    await step('dropped', async () => void (await lookup()))
    await step('lookedAtAndDropped', async () => void (await lookup()).data)
    await step('lookedAtAndDisposed', async () => {
      const result = await lookup()
      void result.data
      result.dispose()
    })
    await step('failed', () => embedding.forwardAsync([100]).catch(() => {}))
    return steps
  },

  copies: async () => {
    const embedding = new Embedding(100, 256)
    const ids = Int32Array.from({ length: 50 }, (_, i) => i)
    const result = await embedding.forwardAsync(ids)
    const same = digest(result) === digest(embedding.forward(ids))
    const { data } = result
    data[3] = 5
    const written = scope(() => result.reshape(-1).narrow(0, 3, 1).item())
    const results = own().results
    result.dispose()
    return { live: capabilities().liveData, same, written, length: data.length, results }
  },

  /** Arguments that reach the work unchecked, and a bug in the work, are failures, and the next lookup succeeds. */
  unchecked: async () => {
    const embedding = new Embedding(4, 2)
    const { handle } = embedding.weight.lend()
    const ids = Int32Array.of(0, 1)
    const queue = async (work: Work | null) => {
      if (work === null) return native.takeFailure()?.code
      const { failure } = await native.workQueue(work)!
      return failure?.code ?? 'done'
    }
    const table = { format: 'float32', rows: 4, dim: 2, onBadId: 'throw', result: 'float32' } as const
    const lookup = native.lookupNew(table)!
    const work = native.embeddingWork(lookup, handle, ids)
    const codes = [
      await queue(native.panickingWork()),
      await queue(native.embeddingWork(native.lookupNew({ ...table, rows: 5 })!, handle, ids)),
      native.lookupNew({ ...table, rows: 1.5 }) ?? native.takeFailure()?.code,
      await queue(native.embeddingWork(lookup, handle, new Float32Array(2))),
      await queue(work),
      await queue(work),
      native.workStop(work!),
    ]
    return { codes, works: (await embedding.forwardAsync([1])).size }
  },

  /** Ends the process during lookups, with exit code 7. */
  exits: () => {
    const embedding = new Embedding(1000, 768)
    for (let i = 0; i < 300; i++) void embedding.forwardAsync(new Int32Array(3000))
    setTimeout(() => process.exit(7), 5)
    return new Promise(() => {})
  },

  /** The same while a long text is encoded, which cannot be stopped everywhere. */
  exitsEncoding: () => {
    const text = 'a rose is a rose '.repeat(2e6)
    const path = join(__dirname, '../../../testdata/golden/hf/wordpiece.json')
    for (const tokenizer of [Tokenizer.load('gpt2'), Tokenizer.fromFile(path)])
      void tokenizer.encodeAsync(text).then(() => process.exit(1))
    setTimeout(() => process.exit(7), 200)
    return new Promise(() => {})
  },

  oneSignal: async () => {
    const warnings: string[] = []
    process.on('warning', ({ message }) => warnings.push(message))
    const embedding = new Embedding(100, 256)
    const { signal } = new AbortController()
    const done = await Promise.all(Array.from({ length: 200 }, () => embedding.forwardAsync([1, 2], { signal })))
    await new Promise((resolve) => setTimeout(resolve, 10))
    return { warnings, ended: done.length }
  },
})
