import test from 'ava'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadModel,
  loadNpy,
  loadSafetensors,
  saveNpy,
  saveSafetensors,
  tensor,
  TensorWriter,
  type Tensor,
} from '../../index.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const ROUNDS = 8

/** Starts a process that saves over a file in a loop, and kills it this many milliseconds after its first save. */
function killAfter(how: string, path: string, milliseconds: number): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [join(__dirname, '../lifetime/saves.js'), how, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), milliseconds))
  return new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))
}

const readers: Record<string, (path: string) => Tensor> = {
  safetensors: (path) => loadSafetensors(path).get('x')!,
  npy: loadNpy,
}

for (const [how, ending] of [
  ['save', 'safetensors'],
  ['save', 'npy'],
  ['stream', 'safetensors'],
  ['stream', 'npy'],
]) {
  test(`a save killed at any moment leaves the whole old file or a whole new one: ${how} .${ending}`, async (t) => {
    const path = join(folder, `${how}.${ending}`)
    for (let round = 0; round < ROUNDS; round++) {
      // Moments that are unrelated to the period of the saves.
      t.is(await killAfter(how, path, (round * 7.3) % 31), 'SIGKILL')
      t.true(existsSync(path))
      const x = readers[ending](path)
      t.deepEqual(x.shape, [300, 1000])
      const values = x.data as Int32Array
      t.true(
        values.every((value) => value === values[0]),
        'of one save, not of two',
      )
    }
  })
}

test('a save of a model killed at any moment leaves the whole old model or a new one', async (t) => {
  const path = join(folder, 'model')
  for (let round = 0; round < 2 * ROUNDS; round++) {
    t.is(await killAfter('model', path, (round * 7.3) % 31), 'SIGKILL')
    const { words, weight, description, counts } = loadModel(path)
    const { number } = description.training as { number: number }
    t.deepEqual([words!.length, weight.shape], [1000 + number, [1000 + number, 50]])
    t.true(words!.every((word) => word.endsWith(`-${number}`)) && counts!.every((count) => count === number))
    t.true(
      (weight.data as Float32Array).every((x) => x === number),
      'of one save, not of two',
    )
  }
})

test('a mapped file keeps its contents while others save over it', (t) => {
  const path = join(folder, 'mapped.npy')
  saveNpy(path, tensor([1, 2, 3]))
  const old = loadNpy(path)
  const writer = new TensorWriter(path, { x: { dtype: 'float32', shape: [] } })
  writer.write('x', new Float32Array(5)).close()
  t.deepEqual([old.toArray(), loadNpy(path).shape], [[1, 2, 3], [5]])
  saveSafetensors(path, { x: old })
  t.deepEqual(old.toArray(), [1, 2, 3])
})
