// One table in several threads.

import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  arange,
  Embedding,
  loadSafetensors,
  randn,
  saveSafetensors,
  scope,
  Tensor,
  type UsageError,
  type SharedTable,
} from '../../index.js'
import { native } from '../../api/native/native.js'
import { main } from '../support/child.js'
import { digest } from '../support/compare.js'
import { temporaryFolder } from '../support/temporary.js'
import { anonymous, collect, isSanitized, MB } from './measure.js'
import type { Answer, Task } from './sharing-worker.js'

const own = () => native.nativeUsage()!

function start(task: Task): Worker {
  return new Worker(join(__dirname, 'sharing-worker.js'), { workerData: task })
}

/** A worker's answer to its task. The worker waits for a message then. */
async function answer(worker: Worker): Promise<Answer> {
  return (await once(worker, 'message'))[0] as Answer
}

async function end(...workers: Worker[]): Promise<void> {
  for (const worker of workers) worker.postMessage('end')
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
}

/** The code of the error that opening a handle gives. */
function refusal(handle: SharedTable): string {
  try {
    return String(Tensor.fromShared(handle))
  } catch (error) {
    return (error as UsageError).code
  }
}

/** Random integers from 0 to n - 1, independent of our generator. */
const below = (n: number) => Math.floor(Math.random() * n)

void main({
  oneTable: async () => {
    const layer = new Embedding(32_000, 512) // 64 MB
    const handle = layer.weight.share()
    const wanted = digest(layer.forward([7, 11, 3999]))
    const one = own().tables
    // Threads and V8 need some memory of their own.
    await end(start({ kind: 'nothing' }))
    const before = anonymous()
    const workers = [0, 1, 2, 3].map((place) => start({ kind: 'use', handle, place }))
    const answers = await Promise.all(workers.map(answer))
    const grown = anonymous() - before
    const tables = answers.map((it) => it.tables / one)
    const written = [0, 1, 2, 3].map((place) => scope(() => layer.weight.narrow(0, place, 1).toArray()[0][0]))
    await end(...workers)
    // Each worker disposed its own tensor; the table here is still whole.
    const data = layer.weight.data.length
    layer.weight.dispose()
    await collect()
    const same = answers.every((it) => it.digests.every((one) => one === wanted))
    return { same, tables, grown: !isSanitized && grown > 2 * 64 * MB, written, data, after: own().tables }
  },

  mapped: async () => {
    const path = join(temporaryFolder(), 'x.safetensors')
    saveSafetensors(path, { x: arange(6).to('float32').reshape(3, 2) })
    const table = loadSafetensors(path, { map: true }).get('x')!
    const handle = table.share()
    const worker = start({ kind: 'hold', handle, at: 2 })
    const { row } = await answer(worker)
    table.dispose()
    await collect()
    const [disposed, mapped] = [refusal(handle), own().mapped > 0]
    await end(worker)
    await collect()
    return { row, disposed, mapped, after: own().mapped }
  },

  /** A table longer than the longest array. */
  huge: async () => {
    const table = loadSafetensors(process.env.HUGE!).get('x')!
    const worker = start({ kind: 'hold', handle: table.share(), at: Number(process.env.ROW) })
    const { row } = await answer(worker)
    await end(worker)
    return { row: row!.slice(0, 2) }
  },

  fromWorker: async () => {
    const worker = start({ kind: 'share' })
    const { handle } = await answer(worker)
    const opened = Tensor.fromShared(handle!)
    const before = opened.toArray()
    await end(worker)
    const late = refusal(handle!)
    const [kept, { tables }] = [opened.toArray(), own()]
    opened.dispose()
    return { before, late, kept, tables, after: own().tables }
  },

  foreign: () => {
    const handle = JSON.parse(process.env.HANDLE!) as SharedTable
    // This number is also in use in this process.
    const mine = Array.from({ length: handle.id }, () => randn([3]))
    const numbers = mine.map((x) => x.share().id)
    return { code: refusal(handle), other: numbers.includes(handle.id) }
  },

  /** 200 workers, eight at a time, each ended while its lookups wait, run and settle. */
  terminated: async () => {
    const table = new Embedding(2000, 256)
    const handle = table.weight.share()
    const round = async () => {
      const worker = start({ kind: 'busy', handle, lanes: below(2) === 0 ? 12 : 300 })
      await once(worker, 'message')
      await new Promise((resolve) => setTimeout(resolve, below(12)))
      await worker.terminate()
    }
    const rounds = async (count: number) => {
      for (let i = 0; i < count; i++) await round()
    }
    await Promise.all(Array.from({ length: 8 }, () => rounds(2)))
    await collect()
    const before = anonymous() - own().pooled
    await Promise.all(Array.from({ length: 8 }, () => rounds(23)))
    const last = await table.forwardAsync([1])
    const works = Number(last.size === 256)
    last.dispose()
    await collect()
    table.weight.dispose()
    await collect()
    const { tables, results, pooled } = own()
    return { started: 8 * 25, tables, results, pool: pooled, works, grown: anonymous() - pooled - before }
  },
})
