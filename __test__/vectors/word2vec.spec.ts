// Files of word2vec. gensim's are read here, and gensim reads ours. Rust tests the errors about malformed files.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  loadModel,
  loadWord2Vec,
  randn,
  saveModel,
  saveWord2Vec,
  tensor,
  Tokenizer,
  Vectors,
  zeros,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const golden = readGolden<{ words: string[]; table: number[] }>('vectors/vectors.json')
const table = tensor(Float32Array.from(golden.table), {
  shape: [golden.words.length, golden.table.length / golden.words.length],
})

test("reads gensim's files", (t) => {
  for (const name of ['gensim.txt', 'gensim.bin']) {
    const path = join(root, 'testdata/golden/vectors', name)
    const vectors = loadWord2Vec(path)
    t.deepEqual(vectors.words, golden.words)
    t.deepEqual(vectors.weight.toArray(), table.toArray(), name)
    t.is(loadWord2Vec(path, { limit: 5, binary: name.endsWith('bin') }).size, 5)
    t.is(loadWord2Vec(path, { limit: 0 }).size, 0)
    const packed = fresh('x.gz')
    writeFileSync(packed, gzipSync(readFileSync(path)))
    t.is(loadWord2Vec(packed).size, 60)
  }
})

test('a text file with spaces in words or commas in numbers is not taken for a binary one', (t) => {
  const path = fresh('spaces.txt')
  const numbers = (row: number, point = '.') => Array.from({ length: 8 }, (_, i) => `${i + row}${point}14286`).join(' ')
  const lines = (point?: string) =>
    `50 8\nat name@domain.com ${numbers(0, point)}\n${Array.from({ length: 49 }, (_, i) => `w${i + 1} ${numbers(i + 1, point)}\n`).join('')}`
  writeFileSync(path, lines())
  for (const limit of [undefined, 1, 10]) {
    const vectors = loadWord2Vec(path, { limit })
    t.is(vectors.size, limit ?? 50)
    t.is(vectors.words![0], 'at name@domain.com')
    t.deepEqual([...vectors.vector('at name@domain.com')], [...Float32Array.from({ length: 8 }, (_, i) => i + 0.14286)])
  }
  t.is(loadWord2Vec(path).words![49], 'w49')
  writeFileSync(path, lines(','))
  for (const limit of [undefined, 1, 10])
    refuses(
      t,
      () => loadWord2Vec(path, { limit }),
      'FORMAT',
      'number 0 of "at name@domain.com" is "0,14286"',
      'decimal comma',
    )
  t.deepEqual(loadWord2Vec(join(root, 'testdata/golden/vectors/spaces.txt')).words, [
    'New York',
    'at name@domain.com',
    '. . .',
    ' the',
    'the',
    'a  b',
    'Windows 95 SE',
  ])
})

const python = process.env.TOKENBED_PYTHON ?? 'python3'
const hasGensim = spawnSync(python, ['-c', 'import gensim']).status === 0

/** This test needs a Python with gensim. */
;(hasGensim ? test : test.skip)('gensim reads ours', (t) => {
  for (const binary of [false, true]) {
    const path = fresh('ours')
    saveWord2Vec(path, golden.words, table, { binary })
    const script =
      'import json, sys; from gensim.models import KeyedVectors as K; v = K.load_word2vec_format(sys.argv[1], binary=sys.argv[2] == "true"); print(json.dumps([v.index_to_key, v.vectors.tolist()]))'
    const { status, stdout, stderr } = spawnSync(python, ['-c', script, path, String(binary)], { encoding: 'utf8' })
    t.is(status, 0, stderr)
    t.deepEqual(JSON.parse(stdout), [golden.words, table.toArray()])
  }
})

test('saved files can be loaded', (t) => {
  for (const binary of [false, true]) {
    const path = fresh('ours')
    saveWord2Vec(path, golden.words, table.to('float16'), { binary })
    const vectors = loadWord2Vec(path)
    t.deepEqual(vectors.weight.toArray(), table.to('float16').toArray())
    saveWord2Vec(path, vectors, { binary })
    t.deepEqual(loadWord2Vec(path).words, golden.words)
  }
})

test('saves the tokens of a model', (t) => {
  const [folder, path] = [fresh('model'), fresh('ours')]
  const tokenizer = Tokenizer.load('gpt2')
  const weight = randn([tokenizer.vocabSize, 2])
  saveModel(folder, { objective: 'next-token', tensors: { 'token.weight': weight }, vocabulary: tokenizer })
  saveWord2Vec(path, loadModel(folder).vectors)
  const vectors = loadWord2Vec(path)
  t.deepEqual(vectors.words!.slice(11, 14), [',', '-', '.'])
  t.is(vectors.id('Ġwhale'), tokenizer.encode(' whale')[0])
  t.is(vectors.id('Ċ'), tokenizer.encode('\n')[0])
  t.deepEqual(vectors.weight.data, weight.data)
})

/**
 * A tokenizer.json with white space in its tokens, as in Llama 2 and Gemma 3, and with texts that look like escapes.
 */
function spacedTokenizer(): Tokenizer {
  const tokens = [
    '<unk>',
    '\n',
    '\n\n',
    '\t',
    '\r',
    '\r\n',
    '\v',
    '\f',
    ' ',
    '   ',
    'a b',
    '\u00a0',
    '\u2028',
    '▁whale',
    '\\',
    '\\n',
    '\\x20',
    '\\x5cx20',
    '<0x0A>',
  ]
  const path = fresh('tokenizer.json')
  const model = {
    type: 'WordLevel',
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    unk_token: '<unk>',
  }
  writeFileSync(path, JSON.stringify({ version: '1.0', added_tokens: [], model }))
  return Tokenizer.fromFile(path)
}

/** A table in which all rows differ. */
const numbered = (rows: number) =>
  tensor(
    Float32Array.from({ length: rows * 2 }, (_, i) => (i >> 1) + (i & 1) / 2),
    { shape: [rows, 2] },
  )
/** Whether two lists are equal. `deepEqual` takes minutes for a hundred thousand elements. */
const same = (a: ArrayLike<unknown>, b: ArrayLike<unknown>) =>
  a.length === b.length && Array.prototype.every.call(a, (it, i) => it === b[i])
const unescape = (word: string) =>
  word.replace(/\\x(09|0[a-d]|20|5c)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

for (const name of ['gpt2', 'cl100k_base', 'o200k_base', 'a file with white space'] as const) {
  test(`all tokens of a vocabulary survive saving and loading: ${name}`, (t) => {
    const tokenizer = name === 'a file with white space' ? spacedTokenizer() : Tokenizer.load(name)
    const vectors = new Vectors(numbered(tokenizer.vocabSize), tokenizer)
    const tokens = vectors.tokens()
    for (const binary of [false, true]) {
      const path = fresh('ours')
      saveWord2Vec(path, vectors, { binary })
      const plain = loadWord2Vec(path)
      t.is(plain.size, tokenizer.vocabSize)
      t.true(same(plain.weight.data, vectors.weight.data))
      t.true(plain.words!.every((word) => !/[\t-\r ]/.test(word)))
      t.true(same(plain.words!.map(unescape), tokens), 'as the documentation says it')
      const read = loadWord2Vec(path, { escape: true })
      t.true(same(read.words!, tokens))
      t.true(same(read.weight.data, vectors.weight.data))
      // Words that were read are plain words, so whoever saves them again must say how.
      if (name !== 'gpt2') {
        const before = readFileSync(path)
        refuses(t, () => saveWord2Vec(path, read, { binary }), 'USAGE', 'white space', 'escape: true')
        refuses(t, () => saveWord2Vec(path, vectors, { binary, escape: false }), 'USAGE', 'white space')
        t.true(readFileSync(path).equals(before))
      }
      saveWord2Vec(path, read, { binary, escape: true })
      t.true(same(loadWord2Vec(path, { escape: true }).words!, tokens))
    }
  })
}

/** This test needs a Python with gensim. */
;(hasGensim ? test : test.skip)('gensim reads all tokens of a vocabulary', (t) => {
  for (const tokenizer of [Tokenizer.load('cl100k_base'), spacedTokenizer()]) {
    const vectors = new Vectors(numbered(tokenizer.vocabSize), tokenizer)
    for (const binary of tokenizer.vocabSize > 1000 ? [true] : [false, true]) {
      const path = fresh('ours')
      saveWord2Vec(path, vectors, { binary })
      const script = `import json, re, sys
from gensim.models import KeyedVectors as K
v = K.load_word2vec_format(sys.argv[1], binary=sys.argv[2] == "true")
print(json.dumps([[re.sub(r"\\\\x(09|0[a-d]|20|5c)", lambda m: chr(int(m[1], 16)), key) for key in v.index_to_key], bool((v.vectors[:, 0] == range(len(v))).all())]))`
      const { status, stdout, stderr } = spawnSync(python, ['-c', script, path, String(binary)], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      })
      t.is(status, 0, stderr)
      const [keys, inOrder] = JSON.parse(stdout)
      t.true(inOrder && same(keys, vectors.tokens()))
    }
  }
})

test('words with white space are written on request', (t) => {
  const path = fresh('ours')
  const words = ['New York', 'a\tb', '\\x20', 'whale']
  saveWord2Vec(path, words, numbered(4), { escape: true })
  t.is(readFileSync(path, 'utf8'), '4 2\nNew\\x20York 0 0.5\na\\x09b 1 1.5\n\\x5cx20 2 2.5\nwhale 3 3.5\n')
  t.deepEqual(loadWord2Vec(path, { escape: true }).words, words)
  t.deepEqual(loadWord2Vec(path).words, ['New\\x20York', 'a\\x09b', '\\x5cx20', 'whale'])
  refuses(t, () => saveWord2Vec(path, words, numbered(4), { escape: 1 } as never), 'USAGE', 'escape')
  refuses(t, () => loadWord2Vec(path, { escape: 'yes' } as never), 'USAGE', 'escape')
})

test('rejects wrong use', (t) => {
  const path = fresh('ours')
  refuses(t, () => saveWord2Vec(path, ['a b'], zeros([1, 2])), 'USAGE', '"a b"', 'white space')
  refuses(t, () => saveWord2Vec(path, [''], zeros([1, 2])), 'USAGE', 'empty')
  refuses(t, () => saveWord2Vec(path, ['a', 'a'], zeros([2, 2])), 'USAGE', "'a' appears twice")
  refuses(t, () => saveWord2Vec(path, ['\udfff'], zeros([1, 2])), 'USAGE', 'surrogate')
  refuses(t, () => saveWord2Vec(path, [5 as never], zeros([1, 2])), 'USAGE', 'word 0')
  refuses(t, () => saveWord2Vec(path, 'a' as never, zeros([1, 2])), 'USAGE', 'array of words')
  refuses(t, () => saveWord2Vec(path, ['a'], zeros([2, 2])), 'SHAPE', '1 words', '2 rows')
  refuses(t, () => saveWord2Vec(path, ['a'], zeros([1])), 'SHAPE', '[1]')
  refuses(t, () => saveWord2Vec(path, ['a'], zeros([1, 2]), { binary: 1 } as never), 'USAGE', 'binary')
  refuses(t, () => saveWord2Vec(path, ['a'], zeros([1, 2]), { bin: true } as never), 'USAGE', '"bin"')
  refuses(t, () => saveWord2Vec(`${path}.gz`, ['a'], zeros([1, 2])), 'USAGE', '.gz')
  refuses(t, () => saveWord2Vec(join(path, 'x'), ['a'], zeros([1, 2])), 'FILE', path)
  t.false(existsSync(path))
  refuses(t, () => loadWord2Vec(path), 'FILE', path)
  refuses(t, () => loadWord2Vec(path, { limit: -1 }), 'USAGE', 'limit')
  refuses(t, () => loadWord2Vec(path, { invalidUtf8: 'ignore' as never }), 'USAGE', 'invalidUtf8')
  writeFileSync(path, '2 2\na 1 2\nb 1 x\n')
  t.is(refuses(t, () => loadWord2Vec(path), 'FORMAT', 'number 1 of "b"').offset, 10)
})
