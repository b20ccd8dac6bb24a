// Helper threads: how many there are, when they start, and that they outlive nothing.

import { fork } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import type * as Tokenbed from '../../index.js'
import { main } from '../support/child.js'

/** The package, loaded at the first call. Some scenarios load it only in workers. */
const tokenbed = (): typeof Tokenbed => require('../../index.js')
const native = () => (require('../../api/native/native.js') as typeof import('../../api/native/native.js')).native
const digest: typeof import('../support/compare.js').digest = (x) => require('../support/compare.js').digest(x)

/** A lookup whose result, 6 MB, is large enough to be divided. */
function large(dim = 768): Tokenbed.Tensor {
  const { Embedding, Generator } = tokenbed()
  const embedding = new Embedding(500, dim, { generator: new Generator(7) })
  return embedding.forward(Int32Array.from({ length: 2048 }, (_, i) => (i * 7919) % 500))
}

function failure(run: () => unknown): string {
  try {
    return `no error: ${String(run())}`
  } catch (error) {
    const { name, code, message } = error as Tokenbed.UsageError
    return `${name} ${code} ${message}`
  }
}

/** The same in a worker that runs this script. */
function inWorker(): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename)
    let said = ''
    worker.once('message', (message: string) => (said = message))
    worker.once('error', reject)
    worker.once('exit', () => resolve(said))
  })
}

/** Divides work a few times and returns the results. */
function work(): string {
  tokenbed().setNumThreads(3)
  return [...new Set(Array.from({ length: 10 }, () => digest(large())))].join()
}

/** How many threads of this process run asynchronous work, or wait for it. */
function workers(): number {
  const nameOf = (thread: string) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim()
    } catch {
      // It has ended since it was listed.
      return ''
    }
  }
  return readdirSync('/proc/self/task').filter((thread) => nameOf(thread) === 'tokenbed-work').length
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

if (isMainThread) {
  void main({
    count: () => tokenbed().getNumThreads(),

    refused: () => {
      const { capabilities, Embedding, getNumThreads, randn, setNumThreads, Tokenizer } = tokenbed()
      const tokenizer = Tokenizer.load('gpt2')
      const runs = [
        getNumThreads,
        capabilities,
        () => new Embedding(5, 3),
        () => randn([20]),
        () => tokenizer.encodeBatch(['a']),
      ]
      const errors = runs.map(failure)
      setNumThreads(2)
      return { errors, after: [getNumThreads(), new Embedding(5, 4).forward([1]).size] }
    },

    again: async () => {
      const tokenizer = tokenbed().Tokenizer.load('gpt2')
      const encode = () => tokenizer.encodeAsync('the white whale '.repeat(2000))
      let [inTurn, atOnce, later] = [0, 0, 0]
      for (let i = 0; i < 50; i++) {
        await encode()
        inTurn = Math.max(inTurn, workers())
      }
      await Promise.all(Array.from({ length: 40 }, encode))
      atOnce = workers()
      do {
        await pause(500)
        later = workers()
      } while (later > 0 && performance.now() < 100_000)
      return { inTurn, atOnce, later }
    },

    started: () => {
      const { Embedding, Generator, setNumThreads } = tokenbed()
      const seen: Record<string, number> = {}
      const look = (name: string) => (seen[name] = native().startedThreads()!)
      look('loaded')
      new Embedding(500, 8, { generator: new Generator(1) }).forward([1, 2, 3])
      look('small')
      setNumThreads(1)
      large()
      look('alone')
      setNumThreads(3)
      large()
      look('large')
      setNumThreads(5)
      large()
      look('more')
      setNumThreads(2)
      large()
      look('fewer')
      return seen
    },

    digests: () =>
      [1, 2, 3, 4, 16].map((n) => {
        const { setNumThreads, TokenPositionEmbedding, Generator } = tokenbed()
        setNumThreads(n)
        const layer = new TokenPositionEmbedding({
          vocabSize: 300,
          contextLength: 1000,
          dim: 96,
          generator: new Generator(3),
        })
        const ids = Int32Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 300)
        return [
          large(),
          large(767),
          layer.forward(ids, { shape: [20, 1000] }),
          layer.forward(ids, { shape: [40, 500], positionOffset: 500 }),
        ].map(digest)
      }),

    workers: async () => {
      const here = work()
      const [first, ...others] = await Promise.all([...Array.from({ length: 4 }, inWorker), Promise.resolve(work())])
      return { different: new Set([first, ...others]).size, here: first === here }
    },

    /** This thread never loads the package, so Node unloads it with each worker. */
    onlyInWorkers: async () => {
      const found: string[] = []
      let first: string | undefined
      for (let i = 0; i < 3; i++) {
        const said = await inWorker()
        first ??= said
        found.push(said === first && said.length === 64 ? 'same' : said)
        await pause(20)
      }
      return found
    },

    forked: async () => {
      const here = work()
      const one = () =>
        new Promise<boolean>((resolve) => {
          const child = fork(__filename, ['tell'], { silent: true })
          child.once('message', (said) => resolve(said === here))
        })
      return Promise.all([one(), one()])
    },

    tell: () => {
      process.send!(work())
      process.disconnect()
    },

    /** Ends the process right after a parallel region, while helpers still spin. */
    ends: () => {
      tokenbed().setNumThreads(8)
      return large().size
    },
  })
} else {
  parentPort!.postMessage(work())
}
