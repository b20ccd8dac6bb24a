// A worker moves memory of tables to the main thread and ends before the memory is used, by every way that the
// runtime has.
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { Embedding, loadSafetensors, memoryUsage, saveSafetensors, zeros } from 'tokenbed'

const ROWS = 1 << 13
const DIM = 256
const BYTES = ROWS * DIM * 4
/** Bun and Deno do not free what a worker had, whether it was moved or not. */
const IS_NODE = !process.versions.bun && !process.versions.deno
const WAYS = {
  transfer: (buffer) => buffer.transfer(),
  clone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  post: (buffer) => buffer,
  // Nothing is moved; the memory goes with the worker.
  keep: () => new ArrayBuffer(BYTES),
}
const KINDS = {
  table: () => {
    const { weight } = new Embedding(ROWS, DIM)
    // Sharing moves the memory to native memory.
    weight.share()
    return weight
  },
  mapped: (path) => loadSafetensors(path).get('table'),
  async: () => new Embedding(ROWS, DIM).forwardAsync(Int32Array.from({ length: ROWS }, (_, i) => i)),
}

async function move({ kind, way, path }) {
  const tensor = await KINDS[kind](path)
  tensor.data.fill(7)
  try {
    const moved = WAYS[way](tensor.data.buffer)
    if (way === 'keep') new Uint8Array(moved).fill(0)
    parentPort.postMessage(moved, [moved])
  } catch {
    // This runtime cannot move such memory in this way.
    parentPort.postMessage(null)
  }
}

async function receive() {
  const path = join(mkdtempSync(join(tmpdir(), 'tokenbed-moved-')), 'x.safetensors')
  saveSafetensors(path, { table: zeros([ROWS, DIM]) })
  const wrong = []
  for (const kind of Object.keys(KINDS)) {
    for (const way of Object.keys(WAYS)) {
      const { tables: before, mapped: mappedBefore } = memoryUsage()
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { kind, way, path } })
      const [[buffer]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      if (way === 'keep') {
        const { tables, mapped } = memoryUsage()
        if (IS_NODE && (tables > before || mapped > mappedBefore))
          wrong.push(
            `${kind}: ${tables - before + mapped - mappedBefore} bytes stayed behind a worker that moved nothing`,
          )
      } else if (buffer !== null) {
        // Memory that was freed would be reused for these.
        new Embedding(ROWS, DIM).weight.share()
        const values = new Float32Array(buffer)
        if (!values.every((value) => value === 7)) wrong.push(`${kind}, by ${way}: the memory is somebody else's`)
        values.fill(1)
      }
    }
  }
  console.log(wrong.length === 0 ? 'whole' : wrong.join('\n'))
}

if (isMainThread) await receive()
else await move(workerData)
