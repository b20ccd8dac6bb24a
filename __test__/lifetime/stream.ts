// Streams of large texts: the memory and the files that they use, and what they leave behind.

import { getEventListeners } from 'node:events'
import { closeSync, createReadStream, openSync, readdirSync, readlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'
import { createDataLoader, Embedding, memoryUsage, streamBatches, streamIds, type Batch } from '../../index.js'
import { main } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'
import { collect, MB } from './measure.js'

const folder = temporaryFolder()
const PARAGRAPH = Array.from(
  { length: 2000 },
  (_, i) => `In chapter ${i} the whale, 鯨, is seen ${i * 7} miles off; they row.\n`,
).join('')

/** A text file of this many megabytes, compressed or not. */
function large(name: string, megabytes: number): string {
  const path = join(folder, name)
  const part = Buffer.from(PARAGRAPH.repeat(Math.ceil(MB / Buffer.byteLength(PARAGRAPH))))
  // A gzip file may consist of several members.
  const bytes = name.endsWith('.gz') ? gzipSync(part, { level: 1 }) : part
  const file = openSync(path, 'w')
  for (let i = 0; i < megabytes; i++) writeSync(file, bytes)
  closeSync(file)
  return path
}

/** The number of files of the folder that this process has open. */
function openFiles(): number {
  try {
    const targets = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return ''
      }
    })
    return targets.filter((target) => target.startsWith(folder)).length
  } catch {
    return 0 // no such list on this system
  }
}

/** The peak of the process' memory, above the memory when this object was made. */
class Peak {
  #most = { rss: 0, buffers: 0 }
  readonly #start = process.memoryUsage()

  look(): void {
    const { rss, arrayBuffers } = process.memoryUsage()
    this.#most.rss = Math.max(this.#most.rss, rss - this.#start.rss)
    this.#most.buffers = Math.max(this.#most.buffers, arrayBuffers - this.#start.arrayBuffers)
  }

  get most(): { rss: number; buffers: number } {
    this.look()
    return { ...this.#most }
  }
}

async function consume(batches: AsyncIterable<Batch>, dispose: boolean): Promise<Record<string, number>> {
  const peak = new Peak()
  let [count, ids] = [0, 0]
  for await (const { inputs, targets } of batches) {
    ids += inputs.size
    if (dispose) for (const x of [inputs, targets]) x.dispose()
    if (count++ % 64 === 0) peak.look()
  }
  return { ids, ...peak.most }
}

const options = { batchSize: 8, maxLength: 1024, stride: 1024 }

/** Yields a text piece by piece, so that it never exists as a whole. */
async function* pieces(megabytes: number): AsyncGenerator<string> {
  for (let bytes = 0; bytes < megabytes * MB; bytes += Buffer.byteLength(PARAGRAPH)) {
    yield PARAGRAPH
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Runs a loader over a million ids, with a window starting at each. */
async function million(dispose: boolean): Promise<Record<string, number>> {
  const ids = Uint32Array.from({ length: 1_000_000 }, (_, i) => i % 50_257)
  const loader = createDataLoader(ids, { batchSize: 64, maxLength: 256, stride: 1 })
  // Warms up: fills the pool of a consumer that disposes, and makes the order of the epoch.
  const peak = new Peak()
  let windows = 0
  let states = 0
  for (const { inputs, targets } of loader) {
    windows += inputs.shape[0]
    if (dispose) for (const x of [inputs, targets]) x.dispose()
    if (windows % 6400 === 0) {
      states = Math.max(states, JSON.stringify(loader.state()).length)
      peak.look()
    }
  }
  return { windows, states, pool: memoryUsage().pool, ...peak.most }
}

void main({
  /** 200 MB of text. */
  file: async () => consume(streamBatches({ files: [large('large.txt', 200)] }, options), true),
  fileKept: async () => consume(streamBatches({ files: [large('large.txt', 200)] }, options), false),
  gzip: async () => consume(streamBatches({ files: [large('large.txt.gz', 200)] }, options), true),
  pieces: async () => consume(streamBatches({ pieces: pieces(100) }, options), true),
  nodeStream: async () => consume(streamBatches(createReadStream(large('large.txt', 100), 'utf8'), options), true),
  /** Text between windows that are far apart is not held. */
  sparse: async () =>
    consume(streamBatches({ files: [large('large.txt', 200)] }, { ...options, stride: 1_000_000 }), true),
  millionDisposed: async () => million(true),
  millionKept: async () => million(false),

  /** Counts open files after each way in which an iteration may end. */
  files: async () => {
    const path = large('open.txt', 4)
    const bad = join(folder, 'bad.txt')
    writeFileSync(bad, Buffer.concat([Buffer.from(PARAGRAPH.repeat(40)), Buffer.from([255])]))
    const open: Record<string, number> = {}
    let most = 0
    const run = async (name: string, source: string[], each: () => boolean, signal?: AbortSignal) => {
      try {
        for await (const ids of streamIds({ files: source }, { signal })) {
          most = Math.max(most, openFiles())
          if (ids.length > 0 && each()) break
        }
      } catch {
        // The error itself does not matter here.
      }
      // An aborted iteration does not wait for pending work.
      if (signal)
        for (let i = 0; i < 100 && openFiles() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20))
      open[name] = openFiles()
    }
    await run('ended', [path, path], () => false)
    await run('left', [path], () => true)
    await run('failed', [bad, path], () => false)
    const controller = new AbortController()
    await run('aborted', [path, path], () => (controller.abort(), false), controller.signal)
    const iterator = streamIds({ files: [path] })[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.return!()
    open.returned = openFiles()
    await (async () =>
      void (await streamIds({ files: [path] })
        [Symbol.asyncIterator]()
        .next()))()
    for (let i = 0; i < 10 && openFiles() > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await collect()
    }
    open.dropped = openFiles()
    if (process.platform === 'linux' && most === 0) throw new Error('no file was ever open')
    return { open }
  },

  listeners: async () => {
    const { signal } = new AbortController()
    const path = join(folder, 'small.txt')
    writeFileSync(path, PARAGRAPH)
    for (let i = 0; i < 50; i++) {
      for await (const ids of streamIds({ files: [path] }, { signal })) if (ids.length === 0) throw new Error('no ids')
      for await (const ids of streamIds({ pieces: [PARAGRAPH, 'more'] }, { signal }))
        if (ids.length > 0 && i % 2 === 0) break
    }
    return { listeners: getEventListeners(signal, 'abort').length }
  },

  /** Workers are ended while their work runs on another thread. */
  terminated: async () => {
    const path = large('worker.txt', 8)
    for (let i = 0; i < 6; i++) {
      const worker = new Worker(join(__dirname, 'worker.js'), { argv: ['stream', path] })
      await new Promise((resolve) => worker.once('message', resolve))
      await new Promise((resolve) => setTimeout(resolve, i * 5))
      await worker.terminate()
    }
    await collect()
    return { works: new Embedding(3, 1).weight.size }
  },
})
