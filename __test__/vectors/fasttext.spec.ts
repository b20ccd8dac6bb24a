// Models that fastText wrote, with what fastText itself says of them, and files that are no models.

import test from 'ava'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  FastText,
  FormatError,
  loadFastText,
  loadWord2Vec,
  saveWord2Vec,
  setNumThreads,
  UnknownTokenError,
  UsageError,
  Vectors,
  tensor,
} from '../../index.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

type Numbers = [text: string, numbers: number[]][]
type Named = [text: string, named: [name: string, number: number][]][]
interface Said {
  supervised: boolean
  dim: number
  words: string[]
  labels: string[] | null
  vectors: Numbers
  sentences: Numbers
  classes?: Named
  neighbours?: Named
}

const golden = join(root, 'testdata/golden/fasttext')
const values = readGolden<Record<string, Said>>('fasttext/values.json')
const folder = temporaryFolder()

function near(actual: ArrayLike<number>, wanted: ArrayLike<number>): boolean {
  if (actual.length !== wanted.length) return false
  return Array.from(wanted).every((x, i) => Math.abs(x - actual[i]) <= 1e-6 * Math.max(1, Math.abs(x)))
}

for (const [name, said] of Object.entries(values)) {
  const open = () => loadFastText(join(golden, name))

  test(`${name}: words and classes`, (t) => {
    const model = open()
    t.is(model.dim, said.dim)
    t.deepEqual(model.words, said.words)
    t.deepEqual(model.labels, said.labels)
    t.is(model.words, model.words)
  })

  test(`${name}: vectors of words, known or not`, (t) => {
    const model = open()
    for (const [word, vector] of said.vectors) {
      // A class is no word here; fastText reads the row of a sub-word for it.
      if (said.labels?.includes(word)) continue
      t.true(near(model.vector(word), vector), `${JSON.stringify(word)}: ${model.vector(word).join()} ${vector.join()}`)
    }
  })

  test(`${name}: vectors of sentences`, (t) => {
    const model = open()
    for (const [text, vector] of said.sentences)
      t.true(near(model.sentenceVector(text), vector), `${JSON.stringify(text)}: ${vector.join()}`)
  })

  if (said.classes !== undefined) {
    test(`${name}: classes and their probabilities`, (t) => {
      const model = open()
      const texts = said.classes!.map(([text]) => text)
      const all = model.classify(texts)
      for (const [i, [text, wanted]] of said.classes!.entries()) {
        const found = all[i]
        t.is(found.length, wanted.length, JSON.stringify(text))
        const byLabel = new Map(found.map(({ label, probability }) => [label, probability]))
        t.true(
          near(
            wanted.map(([label]) => byLabel.get(label) ?? NaN),
            wanted.map(([, p]) => p),
          ),
          JSON.stringify([text, wanted.slice(0, 5), found.slice(0, 5)]),
        )
        t.true(found.every(({ probability }, j) => j === 0 || probability <= found[j - 1].probability))
        t.deepEqual(model.classify(text), found)
        t.deepEqual(model.classify(text, { topN: 2 }), found.slice(0, 2))
      }
      t.deepEqual(model.classify([], { topN: 2 }), [])
      t.deepEqual(model.classify('abc', { topN: 0 }), [])
    })
  } else {
    test(`${name}: it has no classes`, (t) => {
      t.throws(() => open().classify('a'), { instanceOf: UsageError, message: /not trained to classify/ })
    })

    test(`${name}: neighbours`, (t) => {
      for (const withTable of [false, true]) {
        const { vectors } = open()
        if (withTable) t.deepEqual(vectors.weight.shape, [said.words.length, said.dim])
        for (const [query, wanted] of said.neighbours!) {
          const isKnown = said.words.includes(query)
          if (!isKnown && near(open().vector(query), new Float32Array(said.dim))) {
            const error = t.throws(() => vectors.mostSimilar(query), { instanceOf: UnknownTokenError })
            t.true(Array.isArray(error.nearest))
            continue
          }
          const found = vectors.mostSimilar(query, { topN: wanted.length })
          t.true(
            near(
              found.map(({ similarity }) => similarity),
              wanted.map(([, similarity]) => similarity),
            ),
            JSON.stringify([found, wanted]),
          )
        }
      }
    })
  }
}

test('vectors are the same with a table and without, at any number of threads', (t) => {
  const path = join(golden, 'cbow-softmax.bin')
  const [made, table] = [loadFastText(path).vectors, loadFastText(path).vectors]
  t.is(loadFastText(path).vectors.size, table.weight.shape[0])
  const query = { positive: ['unknown', made.token(3)], negative: [made.token(5)] }
  t.deepEqual(made.similarities(query), table.similarities(query))
  t.deepEqual(made.mostSimilar(query), table.mostSimilar(query))
  t.deepEqual(made.rank(made.token(1), made.token(2)), table.rank(made.token(1), made.token(2)))
  t.deepEqual(Array.from(made.vector('unknown')), Array.from(loadFastText(path).vector('unknown')))
  t.deepEqual(made.words, table.words)
  t.false(made.has('unknown'))
  t.throws(() => made.id('unknown'), { instanceOf: UnknownTokenError })
  const model = loadFastText(join(golden, 'sup-hs.bin'))
  const texts = Array.from({ length: 300 }, (_, i) => `${model.words[i % 50]} ${model.words[(i * 7) % 40]}`)
  const expected = model.classify(texts)
  setNumThreads(1)
  t.deepEqual(model.classify(texts), expected)
  t.deepEqual(
    texts.map((text) => model.classify(text)),
    expected,
  )
  setNumThreads(2)
})

test('what is written in vectors.weight changes searches, and nothing in the model', (t) => {
  const model = loadFastText(join(golden, 'cbow-softmax.bin'))
  const before = model.vector(model.words[1])
  const table = model.vectors.weight.data as Float32Array
  table.fill(0)
  t.is(model.vectors.mostSimilar(model.words[2])[0].similarity, 0)
  t.deepEqual(model.vector(model.words[1]), before)
  t.deepEqual(
    Array.from(model.vectors.vector(model.words[1])),
    Array.from({ length: model.dim }, () => 0),
  )
})

test('texts of another kind are refused', (t) => {
  const model = loadFastText(join(golden, 'sup-softmax.bin'))
  const wrong = { instanceOf: UsageError }
  t.throws(() => model.sentenceVector('a\nb'), { ...wrong, message: /line break/ })
  t.throws(() => model.classify(['a', 'a\nb']), { ...wrong, message: /text 1/ })
  t.throws(() => model.vector(5 as never), wrong)
  t.throws(() => model.classify(5 as never), wrong)
  t.throws(() => model.classify('a', { topN: -1 }), wrong)
  t.throws(() => model.classify('a', { k: 1 } as never), wrong)
  t.throws(() => new (FastText as unknown as new () => FastText)(), { ...wrong, message: /loadFastText/ })
  t.throws(() => loadFastText(5 as never), wrong)
})

test('a file that is cut short, at any length, is refused with its path and a byte', (t) => {
  const path = join(folder, 'cut.bin')
  for (const name of ['sup-softmax.bin', 'sup-ns-plain.ftz']) {
    const bytes = readFileSync(join(golden, name))
    for (let length = 0; length < bytes.length; length += length < 1200 ? 1 : 37) {
      writeFileSync(path, bytes.subarray(0, length))
      const error = t.throws(() => loadFastText(path), { instanceOf: FormatError })
      t.is(error.path, path)
      t.true(error.offset <= length)
    }
    writeFileSync(path, Buffer.concat([bytes, Buffer.from([0])]))
    t.throws(() => loadFastText(path), { instanceOf: FormatError, message: /1 bytes follow/ })
  }
})

test('what a header says is compared with the file', (t) => {
  const bytes = readFileSync(join(golden, 'sup-softmax.bin'))
  const path = join(folder, 'lying.bin')
  const fails = (at: number, value: number | bigint, message: RegExp, source = bytes) => {
    const changed = Buffer.from(source)
    if (typeof value === 'bigint') changed.writeBigInt64LE(value, at)
    else changed.writeInt32LE(value, at)
    writeFileSync(path, changed)
    const error = t.throws(() => loadFastText(path), { instanceOf: FormatError, message })
    t.is(error.path, path)
    t.true(error.offset >= 0 && error.offset <= bytes.length)
  }
  fails(4, 13, /version 13/)
  fails(4, -1, /version -1/)
  for (const dim of [0, -1, 0x7fffffff]) fails(8, dim, /vector/)
  fails(8, 7, /sizes/)
  fails(28, -1, /n-grams/)
  fails(28, 100_000, /n-grams/)
  fails(32, 9, /loss/)
  fails(36, 0, /kind 0/)
  fails(40, -1, /buckets/)
  fails(40, 0x7fffffff, /sizes/)
  fails(44, -5, /sub-word/)
  fails(48, 0x7fffffff, /sub-word/)
  for (const at of [64, 68, 72]) {
    fails(at, -1, /0 to/)
    fails(at, 0x7fffffff, /dictionary|classes/)
  }
  fails(84, -2n, /pruning/)
  fails(84, 0x7fffffffffffffffn, /pruning/)
  fails(84, 5n, /pruned and is not quantized|mark|kept|cut short/)
})

test('a dictionary is checked when it is first used', (t) => {
  const bytes = readFileSync(join(golden, 'sup-softmax.bin'))
  const path = join(folder, 'dictionary.bin')
  const fails = (change: (changed: Buffer) => void, message: RegExp) => {
    const changed = Buffer.from(bytes)
    change(changed)
    writeFileSync(path, changed)
    const model = loadFastText(path)
    for (const use of [
      () => model.words,
      () => model.vector('a'),
      () => model.classify('a'),
      () => model.vectors.has('a'),
    ]) {
      const error = t.throws(use, { instanceOf: FormatError, message })
      t.is(error.path, path)
    }
  }
  const [first] = loadFastText(join(golden, 'sup-softmax.bin')).words
  const end = 92 + Buffer.byteLength(first)
  fails((it) => it.writeUInt8(1, end + 9), /entry 0 .* kind 1/)
  fails((it) => it.writeUInt8(0, 92), /no text|kind|follow|ends before/)
  fails((it) => it.writeUInt8(65, end), /kind|follow|ends before/)
  // Two words of the same letters.
  const second = loadFastText(join(golden, 'sup-softmax.bin')).words.findIndex(
    (word, i) => i > 0 && Buffer.byteLength(word) === Buffer.byteLength(first),
  )
  if (second > 0) {
    const at = bytes.indexOf(Buffer.from(`${loadFastText(join(golden, 'sup-softmax.bin')).words[second]}\0`), 92)
    fails((it) => it.write(first, at), /the same text/)
  }
})

test('numbers that are not finite give no crash', (t) => {
  for (const name of ['sup-softmax.bin', 'sup-hs.bin', 'sup-ova.bin']) {
    const bytes = readFileSync(join(golden, name))
    const path = join(folder, name)
    const { dim, labels } = values[name]
    for (let at = bytes.length - 4 * dim * labels!.length; at < bytes.length; at += 4) bytes.writeFloatLE(NaN, at)
    writeFileSync(path, bytes)
    const model = loadFastText(path)
    t.throws(() => model.classify(model.words[3]), { instanceOf: FormatError, message: /NaN/ })
    t.is(model.vector(model.words[3]).length, model.dim)
  }
})

test('each reader names the other', (t) => {
  t.throws(() => loadWord2Vec(join(golden, 'sup-softmax.bin')), { instanceOf: FormatError, message: /loadFastText/ })
  for (const binary of [true, false]) {
    const path = join(folder, `words-${binary}.bin`)
    saveWord2Vec(path, new Vectors(tensor([[1], [2]]), ['a', 'b']), { binary })
    t.throws(() => loadFastText(path), { instanceOf: FormatError, message: /loadWord2Vec/ })
  }
  const path = join(folder, 'page.bin')
  writeFileSync(path, '<!DOCTYPE html><html><head><title>Sign in</title></head></html>')
  t.throws(() => loadFastText(path), { instanceOf: FormatError, message: /HTML/ })
})

test('workers open a model for themselves, and a model is not cloned', async (t) => {
  const path = join(golden, 'sup-ova-cut.ftz')
  const code = `const { parentPort } = require('node:worker_threads')
    const model = require(${JSON.stringify(join(root, 'dist/index.js'))}).loadFastText(${JSON.stringify(path)})
    parentPort.postMessage(model.classify('abc', { topN: 1 }))`
  const worker = new Worker(code, { eval: true })
  const answer = await new Promise((done, fail) => worker.once('message', done).once('error', fail))
  const model = loadFastText(path)
  t.deepEqual(answer, model.classify('abc', { topN: 1 }))
  t.throws(() => structuredClone(model), { any: true })
})

/** A file of a package that is downloaded once into an ignored folder; null where it cannot. */
function fetched(name: string, download: (target: string) => void, file: string): string | null {
  const target = join(root, 'target/fetched', name)
  const found = () =>
    existsSync(target)
      ? (readdirSync(target, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith(file)) ?? null)
      : null
  try {
    if (found() === null) {
      mkdirSync(target, { recursive: true })
      download(target)
    }
  } catch {
    return null
  }
  const path = found()
  return path === null ? null : join(target, path)
}

const FILES = [
  'lee_fasttext_new.bin',
  'lee_fasttext.bin',
  'pang_lee_polarity_fasttext.bin',
  'non_ascii_fasttext.bin',
  'cp852_fasttext.bin',
  'crime-and-punishment.bin',
]

test('files that gensim tests with', (t) => {
  const python = process.env.TOKENBED_PYTHON
  const download = (target: string) => {
    if (python === undefined) throw new Error('no Python')
    const run = (...args: string[]) => execFileSync(python, args, { stdio: 'ignore', timeout: 120_000 })
    run('-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '-d', target, 'gensim==4.4.0')
    run(
      '-c',
      `import glob, zipfile; [zipfile.ZipFile(one).extractall(${JSON.stringify(target)}) for one in glob.glob(${JSON.stringify(target)} + '/*.whl')]`,
    )
  }
  const first = fetched('gensim-4.4.0', download, `test_data/${FILES[0]}`)
  if (first === null) return (t.log('gensim cannot be fetched here: skipped'), t.pass())
  const data = join(first, '..')
  for (const name of FILES) {
    const model = loadFastText(join(data, name))
    t.true(model.words.length > 0, name)
    t.true(
      model.vector(model.words[1]).some((x) => x !== 0),
      name,
    )
  }
  for (const name of ['pang_lee_polarity_fasttext', 'crime-and-punishment']) {
    const model = loadFastText(join(data, `${name}.bin`))
    const table = loadWord2Vec(join(data, `${name}.vec`), { invalidUtf8: 'replace' })
    const words = model.words.filter((word) => !word.includes('\ufffd'))
    t.deepEqual(
      words,
      table.words!.filter((word) => !word.includes('\ufffd')),
    )
    for (const word of words.slice(0, 200)) {
      const [ours, theirs] = [model.vector(word), table.vector(word)]
      // The text has five digits.
      t.true(
        ours.every((x, i) => Math.abs(x - theirs[i]) <= 1e-4 * Math.max(0.1, Math.abs(x))),
        `${name} ${word}`,
      )
    }
  }
})

test('lid.176.ftz tells languages', (t) => {
  const path = fetched(
    'fasttext-pure-rs',
    (target) => {
      writeFileSync(
        join(target, 'Cargo.toml'),
        '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\nfasttext-pure-rs = "=0.1.0"\n[workspace]\n',
      )
      writeFileSync(join(target, 'lib.rs'), '')
      execFileSync('cargo', ['vendor', '--quiet', 'vendor'], { cwd: target, stdio: 'ignore', timeout: 120_000 })
    },
    'lid.176.ftz',
  )
  if (path === null) return (t.log('the file cannot be fetched here: skipped'), t.pass())
  const model = loadFastText(path)
  t.is(model.labels!.length, 176)
  for (const [text, language] of [
    ['Where is the library, and when does it open?', 'en'],
    ['Où est la bibliothèque, et quand ouvre-t-elle ?', 'fr'],
    ['Где находится библиотека, и когда она открывается?', 'ru'],
    ['図書館はどこですか。', 'ja'],
  ])
    t.is(model.classify(text, { topN: 1 })[0].label, `__label__${language}`)
})
