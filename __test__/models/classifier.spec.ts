// A classifier takes texts literally in training and in use, whatever characters they contain. In files, lines name
// their classes.

import test from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadModel,
  saveModel,
  Tokenizer,
  Trainer,
  UsageError,
  type Corpus,
  type LabelledText,
  type Model,
  type TrainerOptions,
  type TrainResult,
} from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const gpt2 = Tokenizer.load('gpt2')
const OPTIONS: TrainerOptions = { objective: 'classify', dim: 8, epochs: 30, lr: 0.5 }

const learned = (corpus: Corpus, tokenizer?: Tokenizer) =>
  new Trainer(corpus, { ...OPTIONS, ...(tokenizer ? { tokenizer } : {}) }).run()
const bits = ({ tensors }: TrainResult) =>
  Object.values(tensors).map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  )

function saved({ objective, tensors, vocabulary, counts, labels }: TrainResult): Model {
  const folder = mkdtempSync(join(base, 'model-'))
  saveModel(folder, { objective, tensors, vocabulary: vocabulary!, counts, labels: labels! })
  return loadModel(folder)
}

function file(name: string, text: string): string {
  const path = join(base, name)
  writeFileSync(path, text)
  return path
}

/** Texts with characters that have a meaning in other formats, tokenizers and terminals. */
const ODD = [
  '__label__spam',
  'free __label__spam offer',
  '__label__',
  '__label__a __label__b',
  'x__label__spam',
  '_label_spam',
  '__label__two words',
  ' leading',
  'two\nlines',
  'two\r\nlines',
  'tab\tand\u2028more',
  'a\fb\vc',
  '\ufeffbom',
  '\u0085next',
  '\ud800 half',
  'half\udc00',
  'NUL \0 in it',
  '<|endoftext|>',
  'a [MASK] b [SEP]',
  '\u00a0',
  '</s> end',
  'über 鯨 🐋',
]

test('texts are taken literally in training and in use', async (t) => {
  const wordpiece = Tokenizer.fromFile(join(root, 'testdata/golden/hf/wordpiece.json'))
  for (const tokenizer of [undefined, gpt2, wordpiece]) {
    for (const odd of ODD) {
      const examples = [
        { text: `${odd} odd`, label: 'odd' },
        { text: 'even', label: 'even' },
      ]
      const result = await learned({ examples }, tokenizer)
      t.deepEqual([...result.labels!].sort(), ['even', 'odd'], odd)
      // Training used all of the text, and nothing else.
      const plain = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>(), addSpecialTokens: false }
      const tokensOf = (text: string) =>
        tokenizer
          ? [...tokenizer.encode(text, plain)]
          : text
              .replace(/\p{Surrogate}/gu, '\ufffd')
              .split(/\p{White_Space}+/u)
              .filter((word) => word !== '')
              .map((word) => (result.vocabulary as string[]).indexOf(word))
      const counts = new Map<number, number>()
      for (const { text } of examples) for (const id of tokensOf(text)) counts.set(id, (counts.get(id) ?? 0) + 1)
      t.deepEqual(
        [...result.counts].flatMap((count, id) => (count > 0 ? [[id, count]] : [])),
        [...counts].sort(([a], [b]) => a - b),
        JSON.stringify(odd),
      )
      // So does the query, to the last bit of a mean over the same rows.
      const [output, token] = [result.tensors['output.weight'], result.tensors['token.weight']]
      const model = saved(result)
      for (const { text } of examples) {
        const rows = tokensOf(text).map((id) => Array.from(token.narrow(0, id, 1).data as Float32Array))
        const hidden = rows[0].map((_, d) => rows.reduce((sum, row) => sum + row[d], 0) / rows.length)
        const scores = (output.toArray() as number[][]).map((row) => row.reduce((sum, x, d) => sum + x * hidden[d], 0))
        const all = scores.reduce((sum, score) => sum + Math.exp(score), 0)
        for (const { label, probability } of model.classify(text)) {
          const expected = Math.exp(scores[result.labels!.indexOf(label)]) / all
          t.true(
            Math.abs(probability - expected) < 1e-5,
            `${JSON.stringify(text)}: ${label} ${probability}, not ${expected}`,
          )
        }
      }
    }
  }
})

test('labels inside a text are features like other words, and do not create classes', async (t) => {
  const examples = Array.from({ length: 40 }, (_, i) => ({
    text: i % 2 ? `offer ${i % 5} __label__spam` : `offer ${i % 5}`,
    label: i % 2 ? 'junk' : 'mail',
  }))
  for (const tokenizer of [undefined, gpt2]) {
    const result = await learned({ examples }, tokenizer)
    t.deepEqual([...result.labels!].sort(), ['junk', 'mail'])
    if (!tokenizer) t.true((result.vocabulary as string[]).includes('__label__spam'))
    const model = saved(result)
    const told = model.classify(['offer 3 __label__spam', 'offer 3', '__label__spam'])
    t.deepEqual(
      told.map(([first]) => first.label),
      ['junk', 'mail', 'junk'],
    )
  }
})

test('labels may be any strings', async (t) => {
  const labels = ['two words', '', 'a\nb', '__label__x', '0', 'ü 🐋', ' ', 'x'.repeat(70_000)]
  const examples = labels.flatMap((label, i) => [
    { text: `word${i}`, label },
    { text: `word${i} more`, label },
  ])
  for (const tokenizer of [undefined, gpt2]) {
    const result = await learned(examples, tokenizer)
    t.deepEqual(result.labels, labels)
    const model = saved(result)
    for (const { text, label } of examples) t.is(model.classify(text, { topN: 1 })[0].label, label)
  }
  t.deepEqual((await learned([...examples, { text: 'z', label: ' ' }])).labels![0], ' ', 'the most frequent first')
})

test('all forms of examples give the same classifier', async (t) => {
  const examples: LabelledText[] = Array.from({ length: 700 }, (_, i) => ({
    text: `a${i % 30} b${i % 7}\nc`,
    label: `class ${i % 3}`,
  }))
  async function* late(): AsyncGenerator<LabelledText> {
    yield* examples
  }
  for (const tokenizer of [undefined, gpt2]) {
    const expected = bits(await learned(examples, tokenizer))
    for (const given of [examples, new Set(examples), examples.values(), late()])
      t.deepEqual(bits(await learned({ examples: given }, tokenizer)), expected)
  }
  const says = (given: unknown, message: RegExp) =>
    t.throws(() => new Trainer(given as Corpus, OPTIONS), { instanceOf: UsageError, message })
  says([...examples, { text: 'a' }], /label of example 700 must be a string, not undefined/)
  says({ examples: [{ text: 'a', label: 1 }] }, /label of example 0 must be a string, not 1/)
  says({ examples: [{ text: ['a'], label: 'b' }] }, /text of example 0 must be a string/)
  says({ examples: ['__label__a b'] }, /example 0 must be \{ text, label \}, not '__label__a b'/)
  says({ examples: [['a', 'b']] }, /example 0 must be \{ text, label \}/)
  says({ examples: '__label__a b' }, /examples must be \{ text, label \}, in an array or an iterable/)
  says([{ text: 'a', label: 'b' }, , { text: 'a', label: 'b' }], /example 1/) // eslint-disable-line no-sparse-arrays
  await t.throwsAsync(learned({ examples: [{ text: 'a', label: 'b' }].values() }), {
    instanceOf: UsageError,
    message: 'a classifier needs at least two classes, but the corpus has 1',
  })
  await t.throwsAsync(learned({ examples: [] }), { instanceOf: UsageError, message: /empty/ })
  await t.throwsAsync(learned({ examples: [] }, gpt2), { instanceOf: UsageError, message: /the corpus has none/ })
  await t.throwsAsync(
    learned([
      { text: ' ', label: 'a' },
      { text: '', label: 'b' },
    ]),
    { instanceOf: UsageError, message: /empty/ },
  )
})

test('lines of a file may name their classes at any place, as in fastText', async (t) => {
  const lines = [
    '__label__a the cat sat',
    '  __label__b a dog  sat ',
    'the mat __label__a',
    'no class here',
    '__label__a',
    'the __label__b end x__label__c',
    '',
    '__label__b it is (__label__a)\r',
  ]
  const path = file('lines.txt', lines.join('\n'))
  const examples: LabelledText[] = [
    { text: 'the cat sat', label: 'a' },
    { text: 'a dog  sat ', label: 'b' },
    { text: 'the mat', label: 'a' },
    { text: '', label: 'a' },
    { text: 'the end x__label__c', label: 'b' },
    { text: 'it is (__label__a)', label: 'b' },
  ]
  // A line without a class is not an example, but its words were seen.
  const words = (await learned({ files: [path] })).vocabulary as string[]
  t.true(
    ['no', 'class', 'here', 'x__label__c', '(__label__a)'].every((word) => words.includes(word)) &&
      !words.includes('__label__a'),
  )
  const without = file('without.txt', lines.filter((line) => line !== 'no class here').join('\n'))
  const given = await learned(examples)
  const read = await learned({ files: [without] })
  t.deepEqual(read.vocabulary, given.vocabulary)
  t.deepEqual(read.labels, given.labels)
  t.deepEqual(bits(read), bits(given))
  t.deepEqual(
    bits(
      await learned({
        pieces: lines
          .filter((line) => line !== 'no class here')
          .join('\n')
          .match(/[^]{1,3}/g)!,
      }),
    ),
    bits(given),
  )
  t.deepEqual(bits(await learned({ files: [path] }, gpt2)), bits(await learned(examples, gpt2)))
  const several = await learned({ files: [file('several.txt', '__label__a __label__b x\n__label__b y __label__c\n')] })
  t.deepEqual(several.labels, ['b', 'a', 'c'])
  await t.throwsAsync(learned({ files: [file('none.txt', 'a\nb\n')] }), {
    instanceOf: UsageError,
    message: /the corpus has none: in a file, a word that begins with __label__ names the class/,
  })
  await t.throwsAsync(learned({ files: [file('one.txt', '__label__x a\n')] }, gpt2), {
    instanceOf: UsageError,
    message: /the corpus has 1: in a file/,
  })
})
