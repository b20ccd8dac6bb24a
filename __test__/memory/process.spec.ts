import test from 'ava'
import { capabilities, Embedding, memoryUsage, zeros } from '../../index.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/golden.js'

test('capabilities describe the machine and the native part', (t) => {
  const found = capabilities()
  t.is(found.version, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
  t.true(found.detected.includes(found.isa))
  t.true(Number.isInteger(found.threads) && found.threads >= 1)
  t.is(typeof found.liveData, 'boolean')
  t.regex(found.binary, /^\w+-\w+$/)
  found.detected.length = 0
  t.true(capabilities().detected.length > 0)
})

test('a table is freed with the last tensor that shares it', (t) => {
  const before = memoryUsage().tables
  const { weight } = new Embedding(1000, 100)
  const [part, layer] = [weight.narrow(0, 5, 2), Embedding.fromPretrained(weight)]
  const held = memoryUsage().tables
  t.is(held - before, 400_000)
  weight.dispose()
  part.dispose()
  t.is(memoryUsage().tables, held)
  t.is(layer.forward([999]).size, 100)
  layer.weight.dispose()
  t.is(memoryUsage().tables, before)
})

test('memoryUsage counts tables, results and the pool', (t) => {
  const before = memoryUsage()
  const { weight } = new Embedding(1000, 1000)
  const result = zeros([1000, 1000]).add(1)
  const held = memoryUsage()
  t.true(held.tables - before.tables >= 4e6)
  t.true(held.results - before.results >= 4e6)
  t.is(held.total, held.tables + held.pool + held.results)
  weight.dispose()
  result.dispose()
  t.is(memoryUsage().tables, before.tables)
  t.true(memoryUsage().pool - held.pool >= 4e6)
})
