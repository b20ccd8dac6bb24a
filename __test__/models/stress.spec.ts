// Many processes save and load one model at once. Every load must give one of the saved models, and nothing may fail.
// The test takes some seconds; TOKENBED_STRESS_SECONDS=600 makes it run longer.

import test from 'ava'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, saveModel, tensor } from '../../index.js'
import { temporaryFolder } from '../support/temporary.js'

const SECONDS = Number(process.env.TOKENBED_STRESS_SECONDS ?? 4)
const [WRITERS, READERS] = [3, 3]

interface Outcome {
  done: number
  mixed: string[]
  errors: Record<string, number>
}

function worker(role: 'write' | 'read', folder: string, number: number): Promise<Outcome> {
  const args = [join(__dirname, '../lifetime/model-stress.js'), role, folder, String(SECONDS), String(number)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) =>
      code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${role} ended with ${code ?? signal}`)),
    )
  })
}

test('a model that many processes save and load at once is never a mixture', async (t) => {
  t.timeout((SECONDS + 60) * 1e3)
  const folder = join(temporaryFolder(), 'model')
  // The first model is there before anybody loads.
  saveModel(folder, {
    objective: 'seed 0',
    tensors: {
      'token.weight': tensor([
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
      ]),
      'head.bias': tensor([0, 1]),
    },
    vocabulary: ['w0x0', 'w1x0', 'w2x0'],
    counts: [0, 0, 0],
    training: { seed: 0 },
  })
  const some = (count: number, role: 'write' | 'read') =>
    Array.from({ length: count }, (_, i) => worker(role, folder, i))
  const [writers, readers] = await Promise.all([
    Promise.all(some(WRITERS, 'write')),
    Promise.all(some(READERS, 'read')),
  ])
  const sum = (all: Outcome[]) => all.reduce((total, { done }) => total + done, 0)
  t.log(`${sum(writers)} saves, ${sum(readers)} loads in ${SECONDS} s`)
  t.deepEqual(
    readers.flatMap(({ mixed }) => mixed),
    [],
  )
  t.deepEqual(Object.assign({}, ...[...writers, ...readers].map(({ errors }) => errors)), {})
  t.true(sum(writers) >= WRITERS && sum(readers) >= READERS)
  // The last save left no files beside the model.
  t.deepEqual(
    readdirSync(folder).filter(
      (name) => !/^(model\.(json|safetensors)|vocab\.txt|tokenizer\.json)$/.test(name) && name !== '.tokenbed-lock',
    ),
    [],
  )
  t.truthy(loadModel(folder))
})
