// Texts of GloVe, read with gensim's numbers. Rust tests the errors about malformed lines.

import test from 'ava'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  getNumThreads,
  loadGlove,
  loadWord2Vec,
  randn,
  saveWord2Vec,
  setNumThreads,
  tensor,
  type Vectors,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const golden = readGolden<{ words: string[]; bits: number[]; limit3: string[] }>('vectors/glove.json')
const FILE = join(root, 'testdata/golden/vectors/glove.txt')
const bitsOf = ({ weight }: Vectors) => {
  const { buffer, byteOffset, length } = weight.data as Float32Array
  return [...new Uint32Array(buffer, byteOffset, length)]
}

test("reads gensim's words, and its numbers to the bit", (t) => {
  const vectors = loadGlove(FILE)
  t.deepEqual(vectors.words, golden.words)
  t.deepEqual(bitsOf(vectors), golden.bits)
  t.is(vectors.id('naïve'), 2)
  t.deepEqual(loadGlove(FILE, { limit: 3 }).words, golden.limit3)
  t.deepEqual([...loadGlove(FILE, { limit: 0 }).weight.shape], [0, 8])
  const packed = fresh('glove.txt.gz')
  writeFileSync(packed, gzipSync(readFileSync(FILE)))
  t.deepEqual(bitsOf(loadGlove(packed)), golden.bits)
})

test('reads word2vec text with the same numbers, of which only the first of a repeated word is kept', (t) => {
  const path = fresh('x.vec')
  writeFileSync(path, `40 8\n${readFileSync(FILE, 'utf8')}`)
  const vectors = loadWord2Vec(path)
  t.deepEqual(vectors.words, golden.words)
  t.deepEqual(bitsOf(vectors), golden.bits)
  t.deepEqual([...vectors.weight.shape], [39, 8])
})

test('words may contain spaces and stand in a file with a byte order mark', (t) => {
  const path = fresh('x.txt')
  writeFileSync(path, '\ufeffthe 1 2\r\n. . . 3 4\r\nat name@domain.com 5 6\r\n😀 7 8')
  const vectors = loadGlove(path)
  t.deepEqual(vectors.words, ['the', '. . .', 'at name@domain.com', '😀'])
  t.deepEqual([...vectors.vector('😀')], [7, 8])
})

test('any number of threads reads the same', (t) => {
  const path = fresh('x.txt')
  saveWord2Vec(
    path,
    Array.from({ length: 30_000 }, (_, i) => `w${i}`),
    randn([30_000, 20]),
    { header: false },
  )
  const threads = getNumThreads()
  try {
    setNumThreads(1)
    const alone = loadGlove(path)
    setNumThreads(5)
    const together = loadGlove(path)
    t.deepEqual(bitsOf(together), bitsOf(alone))
    t.deepEqual(together.words, alone.words)
  } finally {
    setNumThreads(threads)
  }
})

test('says what is wrong with a file', (t) => {
  const path = fresh('x.txt')
  const wrong = (text: string, ...parts: string[]) => {
    writeFileSync(path, text)
    t.is(refuses(t, () => loadGlove(path), 'FORMAT', ...parts).path, path)
  }
  wrong('2 3\na 1 2 3\nb 4 5 6\n', 'loadWord2Vec reads it')
  wrong('a 1 2\nb 1\nc 1 2\n', '"b" has 1 numbers where the lines of this file have 2', 'at byte 6')
  wrong('a 1 2\nb 1 x\nc 1 2\n', 'number 1 of "b" is "x", which is not a number')
  wrong('Call me Ishmael.\n', 'every line must be a word and its numbers')
  refuses(t, () => loadGlove(path, { limit: -1 }), 'USAGE', 'limit')
  refuses(t, () => loadGlove(path, { maxRatio: 0 }), 'USAGE', 'maxRatio')
  refuses(t, () => loadGlove(join(base, 'nothing.txt')), 'FILE', 'nothing.txt')
  const bomb = fresh('bomb.txt.gz')
  writeFileSync(bomb, gzipSync(`a${' 1'.repeat(20)}\n`.repeat(2_000_000)))
  refuses(t, () => loadGlove(bomb, { maxRatio: 2 }), 'FORMAT', 'maxRatio')
  refuses(t, () => saveWord2Vec(path, ['a'], tensor([[1]]), { header: false, binary: true }), 'USAGE', 'header')
})
