// The JSON of model folders, changed at random: each load ends soon, with a model or with a typed error.

import test from 'ava'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadPretrained, TokenbedError } from '../../index.js'
import { root } from '../support/golden.js'
import { drawsOf, mutatedJson } from '../support/mutate.js'
import { temporaryFolder } from '../support/temporary.js'

const golden = join(root, 'testdata/golden/pretrained')
/** Milliseconds that suffice for files of a few kilobytes on a slow and busy machine. */
const ENOUGH = 5000
/** `TOKENBED_FUZZ_SECONDS` runs each test for so long. */
const SECONDS = Number(process.env.TOKENBED_FUZZ_SECONDS ?? 2)

for (const [name, file] of [
  ['gpt2-shards', 'model.safetensors.index.json'],
  ['gpt2-bin-shards', 'pytorch_model.bin.index.json'],
  ['bert', 'config.json'],
  ['gemma3', 'config.json'],
  ['mbart', 'config.json'],
]) {
  test(`${name}: ${file} of any content gives a model or a typed error`, (t) => {
    const folder = join(temporaryFolder(), 'model')
    cpSync(join(golden, name), folder, { recursive: true })
    const path = join(folder, file)
    const sound = readFileSync(path, 'utf8')
    const end = performance.now() + SECONDS * 1000
    let opened = 0
    for (let seed = 1; performance.now() < end; seed++) {
      writeFileSync(path, mutatedJson(sound, drawsOf(seed)))
      const began = performance.now()
      try {
        const model = loadPretrained(folder)
        opened++
        model.layer({ freeze: seed % 2 === 0 }).forward([[1, 2]])
        t.true(model.tensors.size >= 0 && typeof model.family === 'string' && Number.isFinite(model.scale))
      } catch (error) {
        t.true(error instanceof TokenbedError, `seed ${seed}: ${String((error as Error).stack)}`)
      }
      t.true(performance.now() - began < ENOUGH, `seed ${seed}`)
    }
    t.true(opened > 0)
  })
}
