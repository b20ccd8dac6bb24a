// Runs some epochs and records each batch with the loader's state, starting from the last record. Gets killed on its
// way: node killed.js <log> <kind> before|after <batches>

import { appendFileSync, readFileSync } from 'node:fs'
import { createDataLoader, Generator, manualSeed } from '../../index.js'
import { firsts } from '../support/epochs.js'

const [log, kind, when, batches] = process.argv.slice(2)
const { options, own, seed } = JSON.parse(kind)
manualSeed(seed)
const ids = Array.from({ length: 24 }, (_, i) => i)
const loader = createDataLoader(ids, { ...options, ...(own ? { generator: new Generator(seed) } : {}) })
const last = readFileSync(log, 'utf8').trim().split('\n').pop()
let epoch = 0
if (last) {
  const saved = JSON.parse(last)
  epoch = saved.epoch
  loader.load(saved.state)
}
const die = () => process.kill(process.pid, 'SIGKILL')
let left = Number(batches)
for (; epoch < 2; epoch++) {
  for (const batch of loader) {
    left--
    if (left === 0 && when === 'before') die()
    appendFileSync(log, `${JSON.stringify({ epoch, batch: firsts(batch), state: loader.state() })}\n`)
    if (left === 0) die()
  }
}
