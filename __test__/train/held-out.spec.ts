// Losses over text that is held out: what they are, what follows them, and that they change nothing.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { AbortedError, Tokenizer, Trainer, UsageError, type TrainResult } from '../../index.js'
import { digest } from '../support/compare.js'

const texts = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `a${(from + i) % 7} b${(from + i) % 7} c${(from + i) % 3} d${i % 2}`)
const CORPUS = { texts: texts(0, 400) }
const HELD = { texts: [...texts(3, 40), 'unknown words a1 never'] }
const PAIRS = { objective: 'skip-gram', dim: 8, minCount: 1, epochs: 8, sample: 0, seed: 3 } as const
const IDS = Array.from({ length: 1200 }, (_, i) => (i * 7 + (i % 5)) % 23)
const NEXT = { objective: 'next-token', dim: 8, vocabSize: 23, contextLength: 8, lr: 0.01, epochs: 3 } as const
const EXAMPLES = Array.from({ length: 90 }, (_, i) => ({
  text: `${['good', 'bad', 'odd'][i % 3]} film number${i % 4}`,
  label: ['yes', 'no', 'maybe'][i % 3],
}))

/** The loss of next tokens by the tables, computed from their definition. */
function lossOf({ tensors }: TrainResult, ids: readonly number[], context: number): number {
  const [token, position, head] = ['token.weight', 'position.weight', 'head.weight'].map(
    (name) => tensors[name].toArray() as number[][],
  )
  let [sum, count] = [0, 0]
  for (let from = 0; from + context < ids.length; from += context) {
    for (let i = 0; i < context; i++) {
      const hidden = token[ids[from + i]].map((x, k) => x + position[i][k])
      const logits = head.map((row) => row.reduce((all, w, k) => all + w * hidden[k], 0))
      const most = Math.max(...logits)
      sum += most + Math.log(logits.reduce((all, x) => all + Math.exp(x - most), 0)) - logits[ids[from + i + 1]]
      count++
    }
  }
  return sum / count
}

test('next-token: it is the mean loss of the softmax over windows end to end', async (t) => {
  const held = IDS.slice(100, 300)
  const trainer = new Trainer({ ids: IDS }, NEXT)
  const result = await trainer.run({ heldOut: { corpus: { ids: held }, every: 5 } })
  const values = result.training.heldOut!
  t.deepEqual(
    values.map(([step]) => step),
    Array.from({ length: Math.floor(result.progress.step / 5) }, (_, i) => 5 * (i + 1)).concat(
      result.progress.step % 5 === 0 ? [] : [result.progress.step],
    ),
  )
  t.true(Math.abs(values.at(-1)![1] - lossOf(result, held, 8)) < 1e-4)
  t.is(result.progress.heldOut, values.at(-1)![1])
  t.true(values.at(-1)![1] < values[0][1])
  // A sample of the softmax is for learning alone.
  const sampled = await new Trainer({ ids: IDS }, { ...NEXT, softmax: { samples: 5 } }).run({
    heldOut: { corpus: { ids: held } },
  })
  t.true(Math.abs(sampled.training.heldOut!.at(-1)![1] - lossOf(sampled, held, 8)) < 1e-4)
})

test('pairs: it falls, words that are not learned are left out, and nothing else changes', async (t) => {
  for (const objective of ['skip-gram', 'cbow'] as const) {
    const options = { ...PAIRS, objective }
    const trainer = new Trainer(CORPUS, options)
    const heard: (number | undefined)[] = []
    const result = await trainer.run({
      heldOut: { corpus: HELD, every: 10 },
      onProgress: ({ heldOut }) => heard.push(heldOut),
    })
    const values = result.training.heldOut!.map(([, value]) => value)
    t.true(values.at(-1)! < values[0])
    t.is(heard.at(-1), values.at(-1))
    t.is(digest(result.embedding.weight), digest((await new Trainer(CORPUS, options).run()).embedding.weight))
    const again = await new Trainer(CORPUS, options).run({ heldOut: { corpus: HELD, every: 10 } })
    t.deepEqual(again.training.heldOut, result.training.heldOut)
  }
})

test('classify: the loss and the accuracy over examples', async (t) => {
  const held = [...EXAMPLES.slice(0, 30), { text: 'good film', label: 'unknown' }, { text: 'nothing', label: 'yes' }]
  for (const tokenizer of [undefined, Tokenizer.load('gpt2')]) {
    const trainer = new Trainer(
      { examples: EXAMPLES },
      { objective: 'classify', dim: 8, epochs: 60, tokenizer, lr: 0.5 },
    )
    const result = await trainer.run({ heldOut: { corpus: { examples: held } } })
    t.true(result.progress.heldOut! < 1)
    t.true(result.progress.accuracy! > 0.9 && result.progress.accuracy! <= 1)
  }
})

test('early stopping follows it', async (t) => {
  const other = { texts: Array.from({ length: 30 }, (_, i) => `a${i % 7} d0 b${(i + 3) % 7} d1`) }
  const trainer = new Trainer(CORPUS, { ...PAIRS, epochs: 60, alpha: 0.2 })
  const result = await trainer.run({ heldOut: { corpus: other, every: 10 }, earlyStopping: { patience: 2 } })
  const values = result.training.heldOut!
  const best = values.reduce((least, it) => (it[1] < least[1] ? it : least))
  t.is(result.progress.step, best[0])
  t.true(result.progress.tokens < result.progress.totalTokens)
  const same = await new Trainer(CORPUS, { ...PAIRS, epochs: 60, alpha: 0.2 }).run({ steps: best[0] })
  t.is(digest(result.embedding.weight), digest(same.embedding.weight))
})

test('a signal ends a run that evaluates, and it goes on', async (t) => {
  const trainer = new Trainer(CORPUS, PAIRS)
  const stop = new AbortController()
  await t.throwsAsync(
    trainer.run({
      signal: stop.signal,
      heldOut: { corpus: HELD, every: 1 },
      onProgress: () => stop.abort(),
    }),
    { code: 'ABORTED' },
  )
  const result = await trainer.run({ heldOut: { corpus: HELD, every: 10 } })
  t.is(digest(result.embedding.weight), digest((await new Trainer(CORPUS, PAIRS).run()).embedding.weight))
})

test('what cannot be used is refused', async (t) => {
  const run = (options: object) => new Trainer(CORPUS, PAIRS).run(options)
  for (const options of [
    { heldOut: 5 },
    { heldOut: {} },
    { heldOut: { corpus: ['a'] } },
    { heldOut: { corpus: HELD, every: 0 } },
    { heldOut: { corpus: HELD, other: 1 } },
    { heldOut: { corpus: { ids: [1, 2] } } },
    { heldOut: { corpus: { examples: EXAMPLES } } },
    { heldOut: { corpus: { texts: ['x y z'] } } },
    { heldOut: { corpus: { texts: [] } } },
    { heldOut: { corpus: { texts: ['a1'] }, every: 1 } },
    { heldOut: { corpus: HELD }, earlyStopping: { evaluate: () => 1 } },
    { heldOut: { corpus: HELD }, earlyStopping: { every: 5 } },
    { earlyStopping: {} },
  ])
    await t.throwsAsync(run(options), { instanceOf: UsageError }, JSON.stringify(options))
  const next = new Trainer({ ids: IDS }, NEXT)
  await t.throwsAsync(next.run({ heldOut: { corpus: { ids: [1, 2, 3] } } }), { instanceOf: UsageError })
  await t.throwsAsync(next.run({ heldOut: { corpus: { ids: [99] } } }), { code: 'TOKEN_INDEX' })
  await t.notThrowsAsync(next.run())
})

test('a loop has the losses over what is held out, and learns the same', async (t) => {
  const heldOut = { corpus: HELD, every: 7 }
  const whole = await new Trainer(CORPUS, PAIRS).run({ heldOut })
  const trainer = new Trainer(CORPUS, PAIRS)
  const seen = new Map<number, number>()
  let last: number | undefined
  for await (const { step, heldOut: value } of trainer.iterate({ heldOut })) {
    if (value !== undefined && value !== last) seen.set(step, (last = value))
    // Between two values the trainer is free.
    t.is(trainer.result().progress.step, step)
  }
  const result = trainer.result()
  t.is(digest(result.tensors['token.weight'].data), digest(whole.tensors['token.weight'].data))
  t.deepEqual(result.training.heldOut, whole.training.heldOut)
  t.true(seen.size > 0)
  for (const [step, value] of seen)
    t.true(result.training.heldOut!.some((pair) => pair[0] === step && pair[1] === value))
  // What a run holds out is no longer that of the loop.
  t.is((await trainer.run()).training.heldOut, undefined)
})

test('two loops hold out texts of their own', async (t) => {
  const held = [{ texts: texts(3, 40) }, { texts: texts(60, 11) }].map((corpus) => ({ corpus, every: 7 }))
  const known: (readonly (readonly [step: number, value: number])[])[] = []
  for (const heldOut of held) known.push((await new Trainer(CORPUS, PAIRS).run({ heldOut })).training.heldOut!)
  const trainer = new Trainer(CORPUS, PAIRS)
  const [one, other] = held.map((heldOut) => trainer.iterate({ heldOut, steps: 70 }))
  for (const [loop, values] of [
    [one, known[0]],
    [other, known[1]],
    [one, known[0]],
  ] as const) {
    // The first reports may come before a value does.
    for (let value: number | undefined; value === undefined;) value = (await loop.next()).value?.heldOut
    const found = trainer.result().training.heldOut!
    t.true(found.length > 0)
    t.deepEqual(
      found,
      values.filter(([step]) => found.some(([of]) => of === step)),
    )
  }
})

test('a loop that is left writes its checkpoint, from which the training goes on', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'tokenbed-')), 'run.safetensors')
  const trainer = new Trainer(CORPUS, PAIRS)
  let left = 0
  for await (const { step } of trainer.iterate({ checkpoint: { path, every: 3600 } })) {
    left = step
    break
  }
  const again = await Trainer.resume(path, CORPUS)
  t.is(again.progress!.step, left)
  const whole = await new Trainer(CORPUS, PAIRS).run()
  const resumed = await again.run()
  t.is(digest(resumed.tensors['token.weight'].data), digest(whole.tensors['token.weight'].data))
  const aborted = AbortSignal.abort()
  await t.throwsAsync(trainer.iterate({ signal: aborted }).next(), { instanceOf: AbortedError })
  // What cannot be used is told at once.
  t.throws(() => trainer.iterate({ steps: -1 }), { instanceOf: UsageError, message: /Trainer.iterate: steps/ })
  t.throws(() => trainer.iterate({ earlyStopping: {} } as never), { instanceOf: UsageError, message: /earlyStopping/ })
})
