// A thread that opens a table shared by another thread, or shares a table.

import { parentPort, workerData } from 'node:worker_threads'
import { capabilities, Embedding, scope, Tensor, tensor, type SharedTable } from '../../index.js'
import { native } from '../../api/native/native.js'
import { digest } from '../support/compare.js'

export type Task =
  | { kind: 'nothing' | 'share' }
  | { kind: 'hold'; handle: SharedTable; at: number }
  | { kind: 'busy'; handle: SharedTable; lanes: number }
  | { kind: 'use'; handle: SharedTable; place: number }

export interface Answer {
  digests: string[]
  tables: number
  row?: number[]
  handle?: SharedTable
}

const say = (more: Partial<Answer>) =>
  parentPort!.postMessage({ digests: [], tables: native.nativeUsage()!.tables, ...more })

async function use(handle: SharedTable, place: number): Promise<void> {
  const opened = Tensor.fromShared(handle)
  const layer = Embedding.fromPretrained(opened)
  const digests = [layer.forward([7, 11, 3999]), await layer.forwardAsync([7, 11, 3999])].map(digest)
  scope(() => void layer.weight.narrow(0, place, 1).set([100 + place]))
  // This is a copy if it cannot be live.
  const data = capabilities().liveData ? opened.data : []
  say({ digests })
  parentPort!.once('message', () => {
    opened.dispose()
    layer.weight.dispose()
    if (data.length > 0) throw new Error('a disposed table shows its data')
  })
}

/** Endless lookups, some queued, some running and some settling. */
function busy(handle: SharedTable, lanes: number): void {
  const layer = Embedding.fromPretrained(Tensor.fromShared(handle))
  const mine = new Embedding(500, 256)
  mine.weight.share()
  const ids = Int32Array.from({ length: 3000 }, (_, i) => (i * 7) % 500)
  const kept: unknown[] = [layer.weight.data]
  const { signal } = new AbortController()
  const next = async (table: Embedding, i: number): Promise<void> => {
    for (;;) {
      const result = await table.forwardAsync(ids, i % 2 ? { signal } : {})
      if (i % 3 === 0) result.dispose()
      else kept[i] = result.data
    }
  }
  for (let i = 0; i < lanes; i++) void next(i % 2 ? mine : layer, i)
  parentPort!.postMessage('started')
}

const task = workerData as Task
if (task.kind === 'use') void use(task.handle, task.place)
else if (task.kind === 'busy') busy(task.handle, task.lanes)
else if (task.kind === 'share') {
  say({ handle: tensor([1, 2, 3]).share() })
  parentPort!.once('message', () => {})
} else {
  say({
    row: task.kind === 'hold' ? [...(Tensor.fromShared(task.handle).narrow(0, task.at, 1).data as Float32Array)] : [],
  })
  parentPort!.once('message', () => {})
}
