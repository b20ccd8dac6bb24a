// Models as folders: loading gives what was saved, and errors describe incomplete folders.

import test from 'ava'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import {
  FormatError,
  loadModel,
  loadSafetensors,
  saveModel,
  saveSafetensors,
  tensor,
  Tokenizer,
  zeros,
  type ModelParts,
  Trainer,
  UsageError,
} from '../../index.js'
import { alone } from '../../api/models/parts.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'
import { randomTexts } from '../support/random-text.js'

const base = temporaryFolder()
const files = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name !== '.tokenbed-lock')
    .sort()
/** The names of a save's files until they get their final names. */
const nextOf = (folder: string, name: string) =>
  `${name}.${JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')).files[name].slice(0, 16)}.next`
const fresh = () => join(mkdtempSync(join(base, 'x-')), 'model')

const WORDS = ['the', 'whale', 'naïve', '鯨', '😀', 'a\tb', 'c\nd', 'e\\n', '\u00a0', '\ufeff', '"', '__proto__']
const table = (rows: number, dim = 3) =>
  tensor(
    Float32Array.from({ length: rows * dim }, (_, i) => i / 7),
    { shape: [rows, dim] },
  )
const words = (more: Partial<ModelParts> = {}): ModelParts => ({
  objective: 'skip-gram',
  tensors: { 'token.weight': table(WORDS.length) },
  vocabulary: WORDS,
  counts: WORDS.map((_, i) => 100 - i),
  ...more,
})

/** A small tokenizer.json. */
const FILE = {
  version: '1.0',
  truncation: null,
  padding: null,
  normalizer: null,
  post_processor: null,
  added_tokens: [],
  pre_tokenizer: { type: 'Whitespace' },
  decoder: null,
  model: { type: 'WordLevel', vocab: { '[UNK]': 0, sea: 1, ship: 2 }, unk_token: '[UNK]' },
}

test('saves and loads a model of words', (t) => {
  const folder = fresh()
  const training = {
    hyperParameters: { window: 5, negative: 5 },
    corpus: [{ file: 'a "b".txt', bytes: 12, tokens: 3 }],
    loss: [
      [1, 4.25],
      [2, 3.5],
    ] as const,
    date: '2026-01-02',
    own: { deep: [null, true, ['x', 'y']] },
  }
  saveModel(
    folder,
    words({
      training,
      labels: ['good', 'bad'],
      tensors: new Map([
        ['token.weight', table(WORDS.length)],
        ['head.bias', zeros([2])],
      ]),
    }),
  )
  t.deepEqual(files(folder), ['model.json', 'model.safetensors', 'vocab.txt'])
  const model = loadModel(folder)
  t.is(model.objective, 'skip-gram')
  t.is(model.folder, folder)
  t.deepEqual(model.words, WORDS)
  t.is(model.tokenizer, null)
  t.deepEqual(
    [...model.counts!],
    WORDS.map((_, i) => 100 - i),
  )
  t.deepEqual(model.labels, ['good', 'bad'])
  t.deepEqual(model.weight.toArray(), table(WORDS.length).toArray())
  t.deepEqual(model.description.training, training as never)
  t.deepEqual([...model.tensors.keys()].sort(), ['head.bias', 'token.weight'])
  t.deepEqual(model.embedding().forward([1]).toArray(), [table(WORDS.length).toArray()[1]])
  t.false(model.embedding().weight.requiresGrad)
  t.true(readFileSync(join(folder, 'model.json'), 'utf8').includes('[1, 4.25]'), 'pairs stand on a line')
  t.is(readFileSync(join(folder, 'vocab.txt'), 'utf8').split('\n')[1], 'whale\t99')
  // The file of the tensors is an ordinary one.
  t.deepEqual(loadSafetensors(join(folder, 'model.safetensors')).get('token.weight')!.shape, [WORDS.length, 3])
})

test('saves and loads models of an encoding and of a tokenizer.json', (t) => {
  const folder = fresh()
  const tokenizer = Tokenizer.load('gpt2')
  const counts = Array.from({ length: tokenizer.vocabSize }, (_, i) => (i === 5 ? 2 ** 40 : i % 3))
  // Models often have more rows than tokens.
  saveModel(folder, {
    objective: 'next-token',
    tensors: { 'token.weight': zeros([50304, 1]) },
    vocabulary: tokenizer,
    counts,
  })
  const model = loadModel(folder)
  t.is(model.tokenizer, tokenizer)
  t.is(model.words, null)
  t.is(model.counts!.length, 50257)
  t.deepEqual([...model.counts!.subarray(0, 7)], counts.slice(0, 7))
  t.deepEqual([...model.tensors.keys()], ['token.weight'])
  t.deepEqual(files(folder), ['model.json', 'model.safetensors'])

  const path = join(mkdtempSync(join(base, 'x-')), 'mine.json')
  writeFileSync(path, JSON.stringify(FILE))
  saveModel(folder, { objective: 'cbow', tensors: { 'token.weight': table(3) }, vocabulary: Tokenizer.fromFile(path) })
  rmSync(path)
  const second = loadModel(folder)
  t.deepEqual([...second.tokenizer!.encode('ship sea')], [2, 1])
  t.is(second.counts, null)
  t.deepEqual(files(folder), ['model.json', 'model.safetensors', 'tokenizer.json'])
  // Load and save again in place, then save with words: the tokenizer's file goes, and foreign files stay.
  saveModel(folder, { objective: 'cbow', tensors: second.tensors, vocabulary: second.tokenizer! })
  t.deepEqual(loadModel(folder).weight.toArray(), table(3).toArray())
  writeFileSync(join(folder, 'notes.txt'), 'mine')
  saveModel(folder, words())
  t.deepEqual(files(folder), ['model.json', 'model.safetensors', 'notes.txt', 'vocab.txt'])
})

test('refuses to save a tokenizer.json that was deleted or changed', (t) => {
  const path = join(mkdtempSync(join(base, 'x-')), 'mine.json')
  writeFileSync(path, JSON.stringify(FILE))
  const vocabulary = Tokenizer.fromFile(path)
  writeFileSync(path, JSON.stringify({ ...FILE, added_tokens: [] }, null, 1))
  const parts = { objective: 'x', tensors: { 'token.weight': table(3) }, vocabulary }
  refuses(t, () => saveModel(fresh(), parts), 'USAGE', 'has changed')
  rmSync(path)
  refuses(t, () => saveModel(fresh(), parts), 'FILE', path)
})

test('the bytes depend only on what is saved', (t) => {
  const [a, b] = [fresh(), fresh()]
  saveModel(a, words())
  saveModel(b, words({ tensors: { 'token.weight': table(WORDS.length) } }))
  for (const name of files(a)) t.deepEqual(readFileSync(join(a, name)), readFileSync(join(b, name)), name)
})

test('any words survive saving and loading', (t) => {
  const all = [...new Set(randomTexts(5, 3000).map((text) => text.replace(/\p{Surrogate}/gu, '')))].filter(
    (text) => text !== '',
  )
  const folder = fresh()
  saveModel(folder, words({ vocabulary: all, counts: undefined, tensors: { 'token.weight': table(all.length) } }))
  const model = loadModel(folder)
  t.deepEqual(model.words, all)
  t.is(model.counts, null)
})

test('a failed save leaves the old model', (t) => {
  const folder = fresh()
  saveModel(folder, words())
  const before = readFileSync(join(folder, 'model.json'))
  const say = (more: Record<string, unknown>) => () => saveModel(folder, { ...words(), ...more })
  refuses(t, say({ tensors: { 'token.weight': table(3) } }), 'SHAPE', '3 rows', '12 words')
  refuses(t, say({ vocabulary: Tokenizer.load('gpt2') }), 'SHAPE', '12 rows', '50257 tokens')
  refuses(t, say({ tensors: { 'token.weight': zeros([12]) } }), 'SHAPE', '(tokens, dim)')
  refuses(t, say({ tensors: { 'token.weight': zeros([12, 2], { dtype: 'int32' }) } }), 'SHAPE', 'floats')
  refuses(t, say({ tensors: { weight: table(12) } }), 'USAGE', '"token.weight"', 'weight')
  refuses(t, say({ tensors: { 'token.weight': [[1]] } }), 'USAGE', 'token.weight')
  refuses(t, say({ tensors: { 'token.weight': table(12), 'token.counts': table(12) } }), 'USAGE', 'token.counts')
  refuses(t, say({ tensors: table(12) }), 'USAGE', 'by name')
  refuses(t, say({ counts: [1, 2] }), 'SHAPE', 'one element for each of 12 tokens, not 2')
  refuses(t, say({ counts: WORDS.map(() => 0.5) }), 'USAGE', 'counts[0]', '0.5')
  refuses(t, say({ vocabulary: [...WORDS.slice(1), 'whale'] }), 'USAGE', "'whale'", 'row 0', 'row 11')
  refuses(t, say({ vocabulary: [...WORDS.slice(1), ''] }), 'USAGE', 'word 11')
  refuses(t, say({ vocabulary: [...WORDS.slice(1), 5] }), 'USAGE', 'word 11')
  refuses(t, say({ vocabulary: [...WORDS.slice(1), '\ud800'] }), 'USAGE', 'word 11', 'surrogate')
  refuses(t, say({ vocabulary: 'the' }), 'USAGE', 'array of words')
  refuses(t, say({ objective: '' }), 'USAGE', 'objective')
  refuses(t, say({ training: { loss: [[1, NaN]] } }), 'USAGE', 'training.loss[0][1]', 'NaN')
  refuses(t, say({ training: { when: new Date(0) } }), 'USAGE', 'training.when')
  const circle: Record<string, unknown> = {}
  circle.self = circle
  refuses(t, say({ training: circle }), 'USAGE', 'contains itself')
  refuses(t, say({ labels: ['a', 'a'] }), 'USAGE', 'labels')
  refuses(t, say({ label: ['a'] }), 'USAGE', '"label"')
  refuses(t, () => saveModel(join(folder, 'vocab.txt'), words()), 'FILE', 'vocab.txt')
  t.deepEqual(readFileSync(join(folder, 'model.json')), before)
  t.deepEqual(files(folder), ['model.json', 'model.safetensors', 'vocab.txt'])
})

test('incomplete folders are errors', (t) => {
  const folder = fresh()
  refuses(t, () => loadModel(folder), 'FILE', 'there is no folder')
  saveModel(folder, words())
  const broken = (breaks: (at: (name: string) => string) => void) => {
    const copy = fresh()
    cpSync(folder, copy, { recursive: true })
    breaks((name) => join(copy, name))
    return () => loadModel(copy)
  }
  const described = (change: (it: Record<string, any>) => void) =>
    broken((at) => {
      const it = JSON.parse(readFileSync(at('model.json'), 'utf8'))
      change(it)
      writeFileSync(at('model.json'), JSON.stringify(it))
    })
  for (const name of ['model.json', 'model.safetensors', 'vocab.txt']) {
    const error = refuses(
      t,
      broken((at) => rmSync(at(name))),
      'FILE',
      name,
    )
    t.is((error.cause as NodeJS.ErrnoException).code, 'ENOENT')
    t.true(error.path.endsWith(name))
  }
  const cut = broken((at) => writeFileSync(at('model.json'), readFileSync(at('model.json'), 'utf8').slice(0, 40)))
  t.true(refuses(t, cut, 'FORMAT', 'model.json', 'not JSON').offset > 0)
  refuses(
    t,
    broken((at) => writeFileSync(at('model.json'), '[]')),
    'FORMAT',
    '"format"',
  )
  refuses(
    t,
    described((it) => (it.version = 2)),
    'FORMAT',
    'version 2',
    'install a later one',
  )
  refuses(
    t,
    described((it) => (it.version = 'x')),
    'FORMAT',
    '"version"',
  )
  refuses(
    t,
    described((it) => (it.objective = 5)),
    'FORMAT',
    '"objective"',
  )
  refuses(
    t,
    described((it) => (it.vocabulary = { kind: 'words', size: 12, file: '../../etc/passwd' })),
    'FORMAT',
    '"vocabulary"',
  )
  refuses(
    t,
    described((it) => (it.vocabulary = { kind: '__proto__', size: 12 })),
    'FORMAT',
    '"vocabulary"',
  )
  refuses(
    t,
    described((it) => (it.vocabulary = { kind: 'encoding', name: 'gpt9', size: 12 })),
    'FORMAT',
    'gpt9',
  )
  refuses(
    t,
    described((it) => (it.vocabulary = { kind: 'encoding', name: 'gpt2', size: 12 })),
    'FORMAT',
    '50257',
  )
  refuses(
    t,
    described((it) => (it.vocabulary = { kind: 'encoding', name: 'gpt2', size: 50257 })),
    'FORMAT',
    '12 rows',
  )
  refuses(
    t,
    described((it) => (it.vocabulary.size = 11)),
    'FORMAT',
    '12 words',
    '11',
  )
  refuses(
    t,
    described((it) => (it.tensors['token.weight'].shape = [11, 3])),
    'FORMAT',
    '[12, 3]',
    '[11, 3]',
  )
  refuses(
    t,
    described((it) => (it.tensors.head = { dtype: 'float32', shape: [1] })),
    'FORMAT',
    '"head"',
    'missing',
  )
  refuses(
    t,
    described((it) => (it.files = {})),
    'FORMAT',
    '"files"',
  )
  refuses(
    t,
    broken((at) => writeFileSync(at('vocab.txt'), 'the\t1\n')),
    'FORMAT',
    'vocab.txt',
    'digest',
  )
  refuses(
    t,
    broken((at) => saveSafetensors(at('model.safetensors'), { 'token.weight': table(12) })),
    'FORMAT',
    'model.safetensors',
    'digest',
  )
  refuses(
    t,
    broken((at) => writeFileSync(at('model.safetensors'), 'no')),
    'FORMAT',
    'model.safetensors',
  )
})

test('a save counts from the moment that model.json has its name', (t) => {
  const folder = fresh()
  saveModel(folder, words())
  const later = fresh()
  saveModel(
    later,
    words({
      objective: 'cbow',
      vocabulary: WORDS.map((word) => `${word}2`),
      tensors: { 'token.weight': zeros([12, 5]) },
    }),
  )
  // Killed before the rename: new files lie beside the old ones.
  for (const name of ['model.safetensors', 'vocab.txt'])
    copyFileSync(join(later, name), join(folder, nextOf(later, name)))
  t.is(loadModel(folder).objective, 'skip-gram')
  t.deepEqual(loadModel(folder).words, WORDS)
  // Killed after the rename, and between two renames.
  copyFileSync(join(later, 'model.json'), join(folder, 'model.json'))
  const isNew = () => {
    const model = loadModel(folder)
    return model.objective === 'cbow' && model.words![0] === 'the2' && model.weight.shape[1] === 5
  }
  t.true(isNew())
  renameSync(join(folder, nextOf(later, 'vocab.txt')), join(folder, 'vocab.txt'))
  t.true(isNew())
  // A save that fails halfway does not remove files that lie beside. The next one that succeeds tidies up.
  const first = fresh()
  saveModel(first, words())
  const inTheWay = nextOf(first, 'vocab.txt')
  mkdirSync(join(folder, inTheWay))
  refuses(t, () => saveModel(folder, words()), 'FILE', inTheWay)
  rmSync(join(folder, inTheWay), { recursive: true })
  t.true(isNew())
  saveModel(folder, words())
  t.deepEqual(files(folder), ['model.json', 'model.safetensors', 'vocab.txt'])
  t.is(loadModel(folder).objective, 'skip-gram')
})

test('a save is complete even if its files cannot get their final names', (t) => {
  const folder = fresh()
  saveModel(folder, words())
  // A folder that no file can replace has the name of one.
  rmSync(join(folder, 'vocab.txt'))
  mkdirSync(join(folder, 'vocab.txt', 'x'), { recursive: true })
  const save = (objective: string) => saveModel(folder, words({ objective, counts: WORDS.map(() => objective.length) }))
  save('one')
  t.deepEqual([loadModel(folder).objective, loadModel(folder).counts![0]], ['one', 3])
  save('other')
  t.deepEqual([loadModel(folder, { verify: true }).objective, loadModel(folder).counts![0]], ['other', 5])
  rmSync(join(folder, 'vocab.txt'), { recursive: true })
  t.is(loadModel(folder).counts![0], 5)
  save('last one')
  t.deepEqual(files(folder), ['model.json', 'model.safetensors', 'vocab.txt'])
  t.is(loadModel(folder).counts![0], 8)
})

test('digests cover every byte', (t) => {
  const [folder, other] = [fresh(), fresh()]
  saveModel(folder, words({ labels: ['a', 'b'], training: { date: '2026-01-02' } }))
  const path = join(base, 'own.json')
  writeFileSync(path, JSON.stringify(FILE))
  saveModel(other, {
    objective: 'cbow',
    tensors: { 'token.weight': table(3) },
    vocabulary: Tokenizer.fromFile(path),
    counts: [1, 2, 3],
  })
  for (const [model, names] of [
    [folder, ['model.json', 'model.safetensors', 'vocab.txt']],
    [other, ['model.safetensors', 'tokenizer.json']],
  ] as const) {
    t.truthy(loadModel(model, { verify: true }))
    for (const name of names) {
      const whole = readFileSync(join(model, name))
      for (let at = 0; at < whole.length; at++) {
        const damaged = Buffer.from(whole)
        damaged[at] ^= 1 << (at % 8)
        writeFileSync(join(model, name), damaged)
        const error = t.throws(() => loadModel(model, { verify: true }), { any: true }) as FormatError
        t.true(
          error instanceof FormatError && error.path.includes(join(model, name)),
          `byte ${at} of ${name}: ${String(error)}`,
        )
      }
      writeFileSync(join(model, name), whole)
    }
  }
  t.truthy(loadModel(folder, { verify: true }))
  // This also holds for the file alone.
  const tensors = join(folder, 'model.safetensors')
  t.is(loadSafetensors(tensors, { verify: true }).size, 1)
  const whole = readFileSync(tensors)
  whole[whole.length - 1] ^= 1
  writeFileSync(tensors, whole)
  refuses(t, () => loadSafetensors(tensors, { verify: true }), 'FORMAT', tensors, 'damaged')
  // By default, loading does not read all of it.
  t.truthy(loadModel(folder))
  t.is(loadSafetensors(tensors).size, 1)
  saveSafetensors(tensors, { x: zeros([1]) })
  refuses(t, () => loadSafetensors(tensors, { verify: true }), 'FORMAT', 'no digest')
  refuses(t, () => loadModel(folder, { verify: 1 as never }), 'USAGE', 'verify')
  refuses(t, () => loadSafetensors(tensors, { verify: 'yes' as never }), 'USAGE', 'verify')
})

test('concurrent saves wait for each other, but not forever', (t) => {
  const folder = fresh()
  const done = alone(folder, () =>
    refuses(t, () => alone(folder, () => t.fail(), 30), 'FILE', folder, 'has been saving there'),
  )
  if (process.platform === 'linux') t.true(done.message.includes(`process ${process.pid} `), done.message)
  t.is(
    alone(folder, () => 5, 0),
    5,
    'it was given back',
  )
  t.throws(() => alone(folder, () => { throw new RangeError('x') }), { instanceOf: RangeError }) // prettier-ignore
  t.is(
    alone(folder, () => 6, 0),
    6,
    'after an error too',
  )
})

test('damaged word lists are errors with their place', (t) => {
  const load = (text: string | Buffer) => {
    const folder = fresh()
    saveModel(folder, words())
    writeFileSync(join(folder, 'vocab.txt'), text)
    const it = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'))
    it.files['vocab.txt'] = createHash('sha256').update(text).digest('hex')
    writeFileSync(join(folder, 'model.json'), JSON.stringify(it))
    return () => loadModel(folder)
  }
  const at = (text: string | Buffer, line: number, offset: number, ...parts: string[]) =>
    t.is(refuses(t, load(text), 'FORMAT', `line ${line}`, ...parts).offset, offset)
  at('a\t1\nb', 2, 5, 'cut short')
  at('a\t1\nb\tx\n', 2, 4, '"x"')
  at('a\t1\nb\t-1\n', 2, 4)
  at('a\t1\nb\t1e3\n', 2, 4)
  at('a\t1\nb\t99999999999999999\n', 2, 4)
  at('a\t1\nb\n', 2, 4, 'counts')
  at('a\nb\t1\n', 2, 2, 'counts')
  at('a\t1\t2\n', 1, 0, 'second tab')
  at('a\n\n', 2, 2, 'missing')
  at('a\na\n', 2, 2, 'line 1')
  at('a\\x\n', 1, 0, 'escape')
  at('a\\\n', 1, 0, 'escape')
  at(Buffer.from([0x61, 0x0a, 0xff, 0x0a]), 2, 2, 'UTF-8')
  refuses(t, load(''), 'FORMAT', '0 words', '12')
})

test('what a Trainer gives is saved as it is, and what was loaded is saved again', async (t) => {
  const trainer = new Trainer(
    { texts: ['one two three two one '.repeat(50)] },
    { objective: 'cbow', dim: 4, minCount: 1 },
  )
  const steps: number[] = []
  for await (const { step } of trainer) {
    steps.push(step)
    // An iteration that was left goes on where it stopped.
    if (steps.length === 1) break
  }
  for await (const { step } of trainer) steps.push(step)
  t.deepEqual(
    steps,
    [...steps].sort((a, b) => a - b),
  )
  const result = trainer.result()
  t.is(result.progress.tokens, result.progress.totalTokens)
  const whole = await new Trainer(
    { texts: ['one two three two one '.repeat(50)] },
    { objective: 'cbow', dim: 4, minCount: 1 },
  ).run()
  t.deepEqual(result.tensors['token.weight'].toArray(), whole.tensors['token.weight'].toArray())
  const [first, second] = [mkdtempSync(join(base, 'x-')), mkdtempSync(join(base, 'x-'))]
  saveModel(first, result)
  const model = loadModel(first)
  model.weight.set(model.weight.mul(2))
  model.save(second)
  const again = loadModel(second)
  t.deepEqual(again.weight.toArray(), result.tensors['token.weight'].mul(2).toArray())
  t.deepEqual([again.words, again.counts, again.labels], [model.words, model.counts, null])
  again.dispose()
  t.throws(() => again.weight.toArray(), { message: /disposed/ })
  const ids = await new Trainer({ ids: new Int32Array(200).fill(1) }, { objective: 'cbow', dim: 4, vocabSize: 3 }).run()
  t.throws(() => saveModel(first, ids), { instanceOf: UsageError, message: /rows have no names/ })
})
