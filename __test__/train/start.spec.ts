// Trainings that go on: new words after old ones, vectors of a file, and rows that are locked; compared with gensim.

import test from 'ava'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadModel,
  loadWord2Vec,
  saveModel,
  setNumThreads,
  getNumThreads,
  tensor,
  Tokenizer,
  Trainer,
  Vectors,
  type StartOptions,
  type TrainResult,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { readGolden } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()

const golden = readGolden<{
  grown: {
    sg: 0 | 1
    minCount: number
    first: string[]
    second: string[]
    before: string[]
    words: string[]
    counts: number[]
  }[]
  intersected: {
    lockFactor: number
    texts: string[]
    file: { words: string[]; rows: number[][] }
    words: string[]
    begins: Record<string, number[]>
    stays: string[]
  }[]
}>('train/grow.json')

const row = ({ tensors, vocabulary }: TrainResult, word: string): number[] => {
  const at = (vocabulary as string[]).indexOf(word)
  const dim = tensors['token.weight'].shape[1]
  return Array.from((tensors['token.weight'].data as Float32Array).subarray(at * dim, (at + 1) * dim))
}

for (const { sg, minCount, first, second, before, words, counts } of golden.grown) {
  test(`new words follow as in gensim: ${sg ? 'skip-gram' : 'cbow'}, minCount ${minCount}`, async (t) => {
    const options = { objective: sg ? 'skip-gram' : 'cbow', dim: 6, minCount, seed: 5, sample: 0 } as const
    // The same words as gensim's, whose order among equally frequent ones is its own.
    const learned = await new Trainer({ texts: first }, { ...options, minCount: 1 }).run()
    t.deepEqual([...(learned.vocabulary as string[])].sort(), [...before].sort())
    const order = before.map((word) => (learned.vocabulary as string[]).indexOf(word))
    const from = {
      ...learned,
      vocabulary: before,
      counts: Float64Array.from(order, (i) => learned.counts[i]),
      tensors: Object.fromEntries(
        Object.entries(learned.tensors).map(([name, table]) => [name, table.indexSelect(0, order)]),
      ),
    } as TrainResult
    const trainer = new Trainer({ texts: second }, { ...options, from })
    const begun = await trainer.run({ steps: 0 })
    t.deepEqual(begun.vocabulary, words)
    t.deepEqual([...begun.counts], counts)
    for (const name of ['token.weight', 'output.weight'])
      t.deepEqual(
        [...begun.tensors[name].narrow(0, 0, before.length).clone().data],
        [...from.tensors[name].data],
        `${name} begins with what was learned`,
      )
    const fresh = begun.tensors['token.weight'].narrow(0, before.length, words.length - before.length)
    t.true(fresh.abs().max().item() > 0 && fresh.abs().max().item() <= 1 / 6, 'new rows are drawn as usual')
    t.is(
      begun.tensors['output.weight']
        .narrow(0, before.length, words.length - before.length)
        .abs()
        .max()
        .item(),
      0,
    )
    const after = await trainer.run()
    t.notDeepEqual(row(after, words.at(-1)!), row(begun, words.at(-1)!))
    t.notDeepEqual(row(after, 'w0'), row(begun, 'w0'))
  })
}

for (const { lockFactor, texts, file, words, begins, stays } of golden.intersected) {
  test(`vectors of a file are where it begins, as in gensim, with lockFactor ${lockFactor}`, async (t) => {
    const path = join(base, `vectors-${lockFactor}.txt`)
    const lines = file.words.map((word, i) => `${word} ${file.rows[i].join(' ')}`)
    writeFileSync(path, `${file.words.length} 6\n${lines.join('\n')}\n`)
    const pretrained = loadWord2Vec(path)
    const options = { objective: 'skip-gram', dim: 6, minCount: 1, sample: 0, pretrained, lockFactor } as const
    const trainer = new Trainer({ texts }, options)
    const begun = await trainer.run({ steps: 0 })
    t.deepEqual([...(begun.vocabulary as string[])].sort(), [...words].sort(), 'it adds no word')
    for (const [word, values] of Object.entries(begins)) t.deepEqual(row(begun, word), values)
    const after = await trainer.run()
    const same = words.filter((word) => row(after, word).every((x, i) => x === row(begun, word)[i]))
    t.deepEqual(same.sort(), stays)
  })
}

const TEXTS = Array.from({ length: 300 }, (_, i) => `a${i % 7} b${i % 5} c${i % 3} d${i % 11} e${i % 2}`)
const MORE = Array.from({ length: 200 }, (_, i) => `a${i % 7} n${i % 4} m${i % 6} b${i % 5}`)
const OPTIONS = { objective: 'skip-gram', dim: 8, minCount: 1, epochs: 2, sample: 0, seed: 3 } as const

test('a model of a folder goes on; half of a change is half', async (t) => {
  const folder = join(base, 'model')
  const result = await new Trainer({ texts: TEXTS }, OPTIONS).run()
  saveModel(folder, { ...result, labels: undefined, vocabulary: result.vocabulary! })
  const model = loadModel(folder)
  const step = async (lockFactor: StartOptions['lockFactor']) => {
    const trainer = new Trainer({ texts: MORE }, { ...OPTIONS, from: model, lockFactor })
    const begun = await trainer.run({ steps: 0 })
    const after = await trainer.run({ steps: 1 })
    const of = ({ tensors }: TrainResult) => tensors['token.weight'].data as Float32Array
    return Array.from(of(after), (x, i) => x - of(begun)[i])
  }
  const [whole, half] = [await step(undefined), await step(() => 0.5)]
  t.true(whole.some((x) => x !== 0))
  t.true(half.every((x, i) => Math.abs(x - whole[i] / 2) < 1e-6))
  const named = await step((word: string | null) => (word!.startsWith('a') ? 0 : 1))
  const words = (await new Trainer({ texts: MORE }, { ...OPTIONS, from: model }).run({ steps: 0 }))
    .vocabulary as string[]
  for (const [i, word] of words.entries())
    if (word.startsWith('a')) t.true(named.slice(8 * i, 8 * i + 8).every((x) => x === 0))
  t.true(named.some((x) => x !== 0))
})

test('ids and tokens of a tokenizer go on, too', async (t) => {
  const ids = Array.from({ length: 400 }, (_, i) => (i * i) % 50)
  const options = { ...OPTIONS, vocabSize: 50 }
  const from = await new Trainer({ ids }, options).run()
  const begun = await new Trainer({ ids }, { ...options, from, lockFactor: 0 }).run({ steps: 0 })
  t.is(digest(begun.tensors['token.weight']), digest(from.tensors['token.weight']))
  t.deepEqual(
    [...begun.counts],
    [...from.counts].map((count) => 2 * count),
  )
})

test('a checkpoint goes on to the same bits, on any number of threads', async (t) => {
  const from = await new Trainer({ texts: TEXTS }, OPTIONS).run()
  const lockFactor = (word: string | null) => (word === 'a1' ? 0.25 : 1)
  const options = { ...OPTIONS, from, lockFactor }
  const wanted = await new Trainer({ texts: MORE }, options).run()
  const threads = getNumThreads()
  try {
    setNumThreads(3)
    t.is(digest((await new Trainer({ texts: MORE }, options).run()).embedding.weight), digest(wanted.embedding.weight))
  } finally {
    setNumThreads(threads)
  }
  const path = join(base, 'checkpoint')
  const trainer = new Trainer({ texts: MORE }, options)
  await trainer.run({ steps: 2, checkpoint: { path } })
  const resumed = await Trainer.resume(path, { texts: MORE }, { from, lockFactor })
  t.is(digest((await resumed.run()).embedding.weight), digest(wanted.embedding.weight))
  await t.throwsAsync(Trainer.resume(path, { texts: MORE }), { message: /was made with from, lockFactor/ })
  await t.throwsAsync(Trainer.resume(path, { texts: MORE }, { from, lockFactor: 0 }), { message: /another corpus/ })
})

test('what cannot be used is refused', async (t) => {
  const from = await new Trainer({ texts: TEXTS }, OPTIONS).run()
  const pretrained = new Vectors(tensor([[1, 2, 3, 4, 5, 6, 7, 8]]), ['a1'])
  const refused: [object, RegExp][] = [
    [{ from: 5 }, /must be a model of skip-gram or cbow/],
    [{ from: { tensors: {} } }, /must be a model/],
    [{ from: { ...from, vocabulary: ['a'] } }, /1 words/],
    [{ from, dim: 9 }, /dim/],
    [{ pretrained: from }, /must be Vectors/],
    [{ pretrained, dim: 9 }, /8 numbers, but dim is 9/],
    [{ lockFactor: 0.5 }, /give one of them/],
    [{ from, lockFactor: 1.5 }, /from 0 to 1/],
    [{ from, lockFactor: NaN }, /from 0 to 1/],
    [{ from, tokenizer: Tokenizer.load('gpt2') }, /from is of words/],
    [{ from: undefined, pretrained, tokenizer: Tokenizer.load('gpt2') }, /for a corpus of words/],
    [{ objective: 'next-token', minCount: 1, from }, /option of skip-gram and cbow/],
  ]
  for (const [options, message] of refused) {
    const { objective = 'skip-gram' } = options as { objective?: string }
    const whole = objective === 'skip-gram' ? { ...OPTIONS, ...options } : { dim: 8, ...options }
    t.throws(() => new Trainer({ texts: TEXTS }, whole as never), { message }, String(message))
  }
  const twice = { ...from, vocabulary: (from.vocabulary as string[]).map(() => 'a') }
  await t.throwsAsync(new Trainer({ texts: MORE }, { ...OPTIONS, from: twice as TrainResult }).run(), {
    message: /comes twice/,
  })
  await t.throwsAsync(new Trainer({ texts: MORE }, { ...OPTIONS, lockFactor: () => 2 }).run(), {
    message: /from 0 to 1/,
  })
  const error = new Error('mine')
  const thrown = () => {
    throw error
  }
  t.is(await t.throwsAsync(new Trainer({ texts: MORE }, { ...OPTIONS, lockFactor: thrown }).run()), error)
})
