// Mapped files that are truncated in place while tensors of them are in use.

import { mkdirSync, readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import {
  arange,
  createDataLoader,
  Embedding,
  EmbeddingBag,
  loadModel,
  loadNpy,
  loadSafetensors,
  memoryUsage,
  quantize,
  saveModel,
  saveNpy,
  saveSafetensors,
  saveTokens,
  streamIds,
  Tensor,
  TensorWriter,
  Trainer,
  type FileError,
  type SharedTable,
} from '../../index.js'
import { main } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'
import { collect } from './measure.js'

const [ROWS, DIM] = [4096, 256]
const LAST = [ROWS - 1]
const folder = temporaryFolder()
let files = 0

/** A mapped table, and a function that truncates its file. */
function torn(shape = [ROWS, DIM]) {
  const path = join(folder, `${files++}.safetensors`)
  saveSafetensors(path, {
    table: arange(ROWS * DIM)
      .to('float32')
      .reshape(...shape),
  })
  const table = loadSafetensors(path, { map: true }).get('table')!
  return { path, table, cut: () => truncateSync(path, 100_000) }
}

/** How a call ends: true for the FileError of this file. */
async function told(path: string, call: () => unknown): Promise<true | string> {
  try {
    const got = await call()
    return `no error: ${String(got).slice(0, 60)}`
  } catch (error) {
    const { name, path: named, message } = error as FileError
    return (
      (name === 'FileError' && named === path && message.includes('cut short')) || `${name} of ${named}: ${message}`
    )
  }
}

const words = (count: number) => Array.from({ length: count }, (_, i) => `word${i}`)
const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
const target = join(folder, 'target')

/** Calls on a table, each prepared before the file is truncated. */
const CALLS: Record<string, (table: Tensor) => () => unknown> = {
  lookup: (table) => {
    const layer = Embedding.fromPretrained(table)
    return () => layer.forward(LAST)
  },
  maxNorm: (table) => {
    const layer = Embedding.fromPretrained(table, { maxNorm: 1 })
    return () => layer.forward(LAST)
  },
  out: (table) => {
    const [layer, out] = [Embedding.fromPretrained(table), arange(DIM).to('float32').reshape(1, DIM)]
    return () => layer.forward(LAST, { out })
  },
  forwardAsync: (table) => {
    const layer = Embedding.fromPretrained(table)
    return () => layer.forwardAsync(LAST)
  },
  bag: (table) => {
    const layer = EmbeddingBag.fromPretrained(table)
    return () => layer.forward([LAST])
  },
  bagAsync: (table) => {
    const layer = EmbeddingBag.fromPretrained(table)
    return () => layer.forwardAsync([LAST])
  },
  sum: (table) => () => table.sum(),
  add: (table) => () => table.add(1),
  matmul: (table) => () => table.narrow(0, ROWS - 1, 1).matmul(arange(DIM).to('float32')),
  softmax: (table) => () => table.softmax(1),
  clone: (table) => () => table.clone(),
  to: (table) => () => table.to('float16'),
  set: (table) => () => table.set([1], ROWS * DIM - 1),
  quantize: (table) => () => quantize(table, 'int8'),
  item: (table) => {
    const last = table.reshape(-1).narrow(0, ROWS * DIM - 1, 1)
    return () => last.item()
  },
  toArray: (table) => {
    const last = table.narrow(0, ROWS - 1, 1)
    return () => last.toArray()
  },
  toString: (table: Tensor) => () => String(table),
  saveSafetensors: (table) => () => saveSafetensors(target, { table }),
  saveNpy: (table) => () => saveNpy(target, table),
  saveModel: (table) => () =>
    saveModel(target, { objective: 'skip-gram', tensors: { 'token.weight': table }, vocabulary: words(ROWS) }),
  writer: (table) => () => {
    using writer = new TensorWriter(`${target}.npy`, { table: { dtype: 'float32', shape: [DIM] } })
    writer.write('table', table)
    writer.close()
  },
  share: (table) => {
    const opened = Tensor.fromShared(table.share())
    return () => opened.sum()
  },
  data: (table) => {
    const { data } = table
    return () => (data[ROWS * DIM - 1] === 0 ? table.sum() : 'not zero')
  },
}

/** Opens a shared table in a worker and returns the path in its error. */
function inWorker(): void {
  const table = Tensor.fromShared(workerData as SharedTable)
  try {
    table.sum()
    parentPort!.postMessage('no error')
  } catch (error) {
    parentPort!.postMessage((error as FileError).path)
  }
}

if (!isMainThread) inWorker()
else
  void main({
    /** A first and a second call name the file, and nothing else is harmed. */
    calls: async () => {
      const whole = torn().table
      const ended: Record<string, unknown> = {}
      for (const [name, prepare] of Object.entries(CALLS)) {
        const { path, table, cut } = torn()
        const call = prepare(table)
        cut()
        const before = filesIn(folder)
        ended[name] = [
          await told(path, call),
          await told(path, call),
          filesIn(folder)
            .filter((name) => !before.includes(name))
            .join(),
        ]
        table.unshare()
        table.dispose()
      }
      await collect()
      return {
        ended,
        whole: whole.narrow(0, ROWS - 1, 1).toArray()[0][DIM - 1],
        left: memoryUsage().mapped - ROWS * DIM * 4 < 1000,
      }
    },

    /** Ids in a mapped array, and the bits of a table in a worker. */
    elsewhere: async () => {
      const path = join(folder, 'ids.npy')
      saveNpy(path, arange(1_000_000).to('int32'))
      const ids = loadNpy(path, { map: true })
      const layer = new Embedding(10, 4, { onBadId: 'clamp' })
      truncateSync(path, 8192)
      const ofIds = await told(path, () => layer.forward(ids))
      const { path: shared, table, cut } = torn()
      cut()
      const worker = new Worker(__filename, { workerData: table.share() })
      const [ofWorker] = await new Promise<boolean[]>((resolve) =>
        worker.on('message', (message) => resolve([message === shared])),
      )
      return { ofIds, ofWorker, here: await told(shared, () => table.sum()) }
    },

    /** A model's folder whose tensors are truncated after it was loaded. */
    model: async () => {
      const path = join(folder, 'model')
      mkdirSync(path, { recursive: true })
      const count = 20 * ROWS
      saveModel(path, {
        objective: 'skip-gram',
        tensors: {
          'token.weight': arange(count * DIM)
            .to('float32')
            .reshape(count, DIM),
        },
        vocabulary: words(count),
      })
      const { vectors } = loadModel(path)
      const layer = Embedding.fromPretrained(vectors.weight)
      const file = join(path, 'model.safetensors')
      truncateSync(file, 5_000_000)
      const last = `word${count - 1}`
      return {
        row: await told(file, () => [...vectors.vector(last)]),
        similar: await told(file, () => vectors.mostSimilar(last)),
        forward: await told(file, () => layer.forward([count - 1])),
        async: await told(file, () => layer.forwardAsync([count - 1])),
      }
    },

    /** A folder of token ids whose ids are truncated while they are read. */
    tokens: async () => {
      const ids = Uint32Array.from({ length: 200_000 }, (_, i) => i % 50257)
      const written = async (name: string) => {
        const { path, files } = await saveTokens(join(folder, name), { ids })
        return { folder: path, file: join(path, files.ids.name) }
      }
      const [loaded, streamed, trained] = [await written('loaded'), await written('streamed'), await written('trained')]
      const loader = createDataLoader({ folder: loaded.folder }, { maxLength: 16, stride: 16 })
      const stream = streamIds({ folder: streamed.folder })[Symbol.asyncIterator]()
      const trainer = new Trainer(
        { folder: trained.folder },
        { objective: 'next-token', dim: 2, contextLength: 16, batchSize: 1, softmax: { samples: 2 } },
      )
      await trainer.run({ steps: 1 })
      for (const { file } of [loaded, streamed, trained]) truncateSync(file, 8192)
      return {
        loader: await told(loaded.file, () => [...loader]),
        again: await told(loaded.file, () => loader.ids),
        // The part that is not mapped yet has the wrong size.
        stream: await stream.next().then(
          () => 'no error',
          (error: Error) => /cut short/.test(error.message),
        ),
        trainer: await told(trained.file, () => trainer.run()),
      }
    },
  })
