// Things that hosts and users may do to buffers, threads and the native part without crashing the process.

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  capabilities,
  Embedding,
  loadSafetensors,
  manualSeed,
  randn,
  saveSafetensors,
  TokenPositionEmbedding,
  tensor,
  UsageError,
  zeros,
} from '../../index.js'
import { call, check, failureOf, native, type Operand } from '../../api/native/native.js'
import { main } from '../support/child.js'
import { digest } from '../support/compare.js'
import { temporaryFolder } from '../support/temporary.js'
import { collect } from './measure.js'

const WORKER = join(__dirname, 'worker.js')

/** The outcome of a function: the code of our error, or the returned value. */
function outcome(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error instanceof UsageError ? error.code : String(error)
  }
}

void main({
  /** As in Electron, the `data` of a table is a copy, and `set` writes. */
  copies: () => {
    const { weight } = new Embedding(4, 2)
    const copy = weight.data
    copy.fill(7 as never)
    const untouched = !weight.toArray().flat().includes(7)
    weight.set([1, 2], 2)
    const embedding = Embedding.fromPretrained(weight)
    const loaded = path(weight)
    loaded.set([9])
    const activation = zeros([2])
    activation.data[0] = 3
    const seen = {
      live: capabilities().liveData,
      untouched,
      fresh: weight.data !== weight.data,
      row: embedding.forward([1]).toArray()[0],
      part: [...weight.narrow(0, 1, 1).data],
      loaded: loaded.toArray()[0][0],
      printed: String(loaded.narrow(0, 1, 1)),
      activation: activation.toArray(),
      out: new Embedding(2, 2).forward([0, 1], { out: loaded.narrow(0, 0, 2) }).size,
      matmul: weight
        .matmul(zeros([2, 1]))
        .toArray()
        .flat(),
    }
    weight.dispose()
    const dead = outcome(() => weight.data)
    return { ...seen, dead, shared: embedding.forward([1]).toArray()[0] }
  },

  /** Buffers that their user transferred. */
  transferred: async () => {
    const give = (buffer: ArrayBufferLike) =>
      outcome(() => structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }).byteLength)
    const embedding = new Embedding(600, 512)
    const activation = zeros([600, 512])
    const file = path(zeros([600, 512]))
    const layer = Embedding.fromPretrained(file)
    const results: unknown[] = []
    for (const [x, forward] of [
      [activation, null],
      [embedding.weight, embedding],
      [file, layer],
    ] as const) {
      const { data } = x
      give(data.buffer)
      results.push(
        outcome(() => x.data.length),
        outcome(() => x.add(1).size),
        outcome(() => x.set([1]).size),
      )
      if (forward) results.push(outcome(() => forward.forward([5]).size))
      x.dispose()
      if (x === file) layer.weight.dispose()
      results.push(
        data.length,
        outcome(() => x.data),
      )
    }
    await collect()
    return results
  },

  /** The same with ArrayBuffer.prototype.transfer, where it exists. */
  moved: async () => {
    if (!('transfer' in ArrayBuffer.prototype)) return { codes: ['USAGE'], sizes: [1] }
    const move = (buffer: ArrayBufferLike) => (buffer as never as { transfer(): ArrayBuffer }).transfer()
    const { weight } = new Embedding(600, 512)
    const kept = outcome(() => move(weight.data.buffer).byteLength)
    const codes = [outcome(() => weight.data)]
    const sizes = [outcome(() => weight.set([1]).size), kept]
    weight.dispose()
    await collect()
    return { codes, sizes }
  },

  /** A panic becomes an error, and the next call works. */
  panic: async () => {
    const errors = Array.from({ length: 3 }, () => {
      try {
        return check(native.panicOnPurpose())
      } catch (error) {
        const { name, code, message } = error as UsageError
        return { name, code, message }
      }
    })
    const nothing = outcome(() => call(null))
    const { code, message } = failureOf(await native.panicElsewhere())
    return { errors, nothing, elsewhere: `${code}: ${message}`, works: new Embedding(3, 2).forward([1]).size }
  },

  /** Arguments that reach the native side unchecked are errors there, too. */
  unchecked: () => {
    const [f32, i32] = [new Float32Array(8), Int32Array.of(0, 1)]
    const ok = (run: () => unknown) => {
      const answer = outcome(run)
      return answer === null || answer === false ? native.takeFailure()?.code : answer
    }
    const table = { format: 'float32', rows: 4, dim: 2, onBadId: 'throw', result: 'float32' } as const
    const lookup = native.lookupNew(table)!
    const strided = (elements: Operand) => ({ elements, offset: 0, strides: new Float64Array(1) })
    return [
      ok(() => native.embeddingForward(lookup, i32, new Float32Array(3), f32)),
      ok(() => native.embeddingForward(native.lookupNew({ ...table, rows: 5 })!, i32, new Float32Array(4), f32)),
      ok(() => native.lookupNew({ ...table, rows: 1.5 })),
      ok(() => native.lookupNew({ ...table, onBadId: -7 })),
      ok(() => native.embeddingForward(lookup, f32, new Float32Array(4), f32)),
      ok(() => native.embeddingForward(lookup, i32, f32.subarray(0, 4), f32)),
      ok(() => native.embeddingForward(lookup, i32, new Float32Array(4), new Uint8Array(new ArrayBuffer(33), 1))),
      ok(() => native.embeddingForward({} as never, i32, new Float32Array(4), f32)),
      ok(() => native.embeddingForward(lookup, i32, new Float32Array(4), {} as never)),
      ok(() => native.embeddingForward(lookup, i32, new Float32Array(4))),
      ok(() => native.lookupNew({ ...table, onBadId: 'skip' as never })),
      ok(() => native.lookupNew({ ...table, format: 'float32 and so on and so on' as never })),
      ok(() => native.bagForward(lookup, i32, null, null, new Float32Array(4), f32)),
      ok(() => native.storageZeroed(-1)),
      ok(() => native.storageZeroed(2 ** 62)),
      ok(() => native.convertElements('float31' as never, f32, 'float32', f32)),
      ok(() => native.windowsNew(10, 0, 1, 1, true)),
      ok(() => native.copyElements(3, new Float64Array(1), strided(f32), strided(i32))),
    ]
  },

  /** Workers use everything at once, and all get the same numbers. */
  workers: async () => {
    const results = await Promise.all(Array.from({ length: 3 }, () => work('digest')))
    return { same: new Set(results).size, here: results[0] === drawn() }
  },

  /** Workers are ended at any moment of their work. */
  terminated: async () => {
    for (let i = 0; i < 6; i++) {
      const worker = new Worker(WORKER, { argv: ['busy'] })
      await new Promise((resolve) => worker.once('message', resolve))
      await new Promise((resolve) => setTimeout(resolve, i * 7))
      await worker.terminate()
    }
    await collect()
    return { works: new Embedding(3, 2).forward([1]).size }
  },
})

function path(x: ReturnType<typeof zeros>): ReturnType<typeof zeros> {
  const file = join(temporaryFolder(), 'x.safetensors')
  saveSafetensors(file, { x })
  return loadSafetensors(file).get('x')!
}

function work(task: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { argv: [task] })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

/** What the workers compute, computed on this thread. */
function drawn(): string {
  manualSeed(5)
  const layer = new TokenPositionEmbedding({ vocabSize: 500, contextLength: 8, dim: 96 })
  return digest(
    layer
      .forward([
        [1, 2, 3],
        [4, 5, 499],
      ])
      .add(randn([2, 3, 96]))
      .matmul(tensor(new Float32Array(96).fill(1))),
  )
}
