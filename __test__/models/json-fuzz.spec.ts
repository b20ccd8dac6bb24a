// Runs the fuzzer of model.json on a few hundred seeds. It is in support/fuzz-model-json.ts.

import test from 'ava'
import { brokenModels } from '../support/fuzz-model-json.js'
import { drawsOf, mutatedJson } from '../support/mutate.js'

test('a model.json with random changes gives a model or a typed error', (t) => {
  const load = brokenModels()
  for (let seed = 1; seed <= 400; seed++) t.notThrows(() => load(seed))
})

test('a seed always gives the same changes, and another seed gives others', (t) => {
  const text = JSON.stringify({ a: [1, 2, { b: 'c' }], d: null })
  const of = (seed: number) => mutatedJson(text, drawsOf(seed))
  t.is(of(7), of(7))
  const some = new Set(Array.from({ length: 50 }, (_, i) => of(i + 1)))
  t.true(some.size > 30, String(some.size))
})
