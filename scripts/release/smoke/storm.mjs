// Starts workers by the hundred and ends each in the middle of all kinds of work; then the process ends while work is
// pending.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { Embedding, Tokenizer, createDataLoader } from 'tokenbed'

const ROUNDS = 25
const AT_ONCE = 4

/** Starts lookups that are queued, running and settling, and others on the thread itself, without end. */
function work() {
  const layer = new Embedding(2000, 128)
  const ids = Int32Array.from({ length: 4000 }, (_, i) => (i * 7) % 2000)
  const again = async () => {
    for (;;) (await layer.forwardAsync(ids)).dispose()
  }
  for (let i = 0; i < 20; i++) void again()
  const tokenizer = Tokenizer.load('gpt2')
  const turn = () => {
    for (const { inputs } of createDataLoader(tokenizer.encode('a rose is a rose '.repeat(20)), {
      maxLength: 8,
      stride: 8,
    }))
      inputs.dispose()
    setImmediate(turn)
  }
  turn()
  parentPort.postMessage('started')
}

async function storm() {
  const round = async (wait) => {
    const worker = new Worker(fileURLToPath(import.meta.url))
    await once(worker, 'message')
    await new Promise((resolve) => setTimeout(resolve, wait))
    await worker.terminate()
  }
  for (let i = 0; i < ROUNDS; i++)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, j) => round((i * 3 + j * 5) % 13)))
  const layer = new Embedding(50_000, 64)
  const pending = Array.from({ length: 50 }, () => layer.forwardAsync(Int32Array.from({ length: 20_000 }, (_, i) => i)))
  await pending[0]
  console.log(ROUNDS * AT_ONCE)
  process.exit(0)
}

if (isMainThread) await storm()
else work()
