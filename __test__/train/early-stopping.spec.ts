// Early stopping: when it evaluates, when it stops, and what it returns.

import test from 'ava'
import { Trainer, UsageError, type TrainerOptions, type TrainResult } from '../../index.js'

const CORPUS = { texts: Array.from({ length: 400 }, (_, i) => `a${i % 7} b${i % 5} c${i % 3} d${i % 11} e${i % 2}`) }
const OPTIONS: TrainerOptions = { objective: 'skip-gram', dim: 8, minCount: 1, epochs: 40, sample: 0, seed: 3 }
const made = () => new Trainer(CORPUS, OPTIONS)
const copyOf = ({ tensors }: TrainResult) => Float32Array.from(tensors['token.weight'].data as Float32Array)

/** The number of batches of the whole training. */
async function lengthOf(): Promise<number> {
  const { training } = await made().run()
  return training.steps!
}

test('it evaluates after fixed numbers of batches, and at the end', async (t) => {
  const steps = await lengthOf()
  const every = Math.ceil(steps / 4)
  const seen: number[] = []
  let last: TrainResult | null = null
  const run = await made().run({
    earlyStopping: {
      every,
      patience: 10,
      evaluate: (result) => {
        seen.push(result.progress.step)
        last = result
        return -seen.length
      },
    },
  })
  const wanted = [1, 2, 3, 4].map((i) => Math.min(i * every, steps))
  t.deepEqual(seen, wanted)
  t.deepEqual(run.training.heldOut, wanted.map((step, i) => [step, -(i + 1)]) as never)
  t.is(run.embedding, last!.embedding)
  t.deepEqual(copyOf(run), copyOf(await made().run()))
})

test('it stops when nothing better comes, and returns the best', async (t) => {
  const steps = await lengthOf()
  const every = Math.max(1, Math.floor(steps / 8))
  const values = [5, 3, 4, 3, 2.95, 6, 0]
  const kept: Float32Array[] = []
  const heard: (number | undefined)[] = []
  const given: TrainResult[] = []
  const result = await made().run({
    onProgress: ({ heldOut }) => heard.push(heldOut),
    earlyStopping: {
      every,
      patience: 2,
      minDelta: 0.1,
      evaluate: async (it) => {
        given.push(it)
        kept.push(copyOf(it))
        return values[kept.length - 1]
      },
    },
  })
  t.deepEqual(
    result.training.heldOut!.map(([, value]) => value),
    [5, 3, 4, 3],
  )
  t.is(result.progress.step, 2 * every)
  t.deepEqual(copyOf(result), kept[1])
  t.deepEqual(
    given.map(({ tensors }) => tensors['token.weight'].disposed),
    [true, false, true, true],
  )
  t.is(heard.at(-1), 3)
  t.true(heard.includes(5))
  // The same batches without evaluations learn the same.
  t.deepEqual(copyOf(await made().run({ steps: 2 * every })), kept[1])
})

test('a training that was stopped goes on', async (t) => {
  const trainer = made()
  await trainer.run({ earlyStopping: { every: 1, patience: 1, evaluate: () => 1 } })
  t.is(trainer.progress!.step, 2)
  t.deepEqual(copyOf(await trainer.run()), copyOf(await made().run()))
})

test('what cannot be used is refused, and errors of evaluate come out', async (t) => {
  for (const earlyStopping of [
    5,
    {},
    { evaluate: 5 },
    { evaluate: () => 1, every: 0 },
    { evaluate: () => 1, patience: 0 },
    { evaluate: () => 1, minDelta: -1 },
    { evaluate: () => 1, other: 1 },
    { evaluate: () => NaN, every: 1 },
    { evaluate: () => 'x', every: 1 },
  ])
    await t.throwsAsync(made().run({ earlyStopping: earlyStopping as never }), { instanceOf: UsageError })
  const error = new Error('mine')
  const evaluate = () => {
    throw error
  }
  t.is(await t.throwsAsync(made().run({ earlyStopping: { evaluate, every: 1 } })), error)
})
