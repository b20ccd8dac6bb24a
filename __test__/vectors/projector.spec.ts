// The files of TensorBoard's projector, read as it reads them.

import test from 'ava'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randn, saveProjector, tensor, Tokenizer, Vectors } from '../../index.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()

/** Lines as the projector's page takes them: without white space at the ends, and without empty ones. */
const linesOf = (folder: string, name: string) =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

test('a line of vectors for each line of names, which no word can break', (t) => {
  const folder = join(base, 'deep/projector')
  const words = ['whale', 'New York', 'a\tb', '\n', ' ', '\u00a0', 'naïve', '\\n', 'x\r\ny', '\u2028']
  const weight = randn([words.length, 3])
  saveProjector(folder, new Vectors(weight, words))
  t.deepEqual(readdirSync(folder).sort(), ['metadata.tsv', 'vectors.tsv'])
  const rows = linesOf(folder, 'vectors.tsv').map((line) => line.split('\t').map(Number))
  t.deepEqual(
    rows.map((row) => row.map(Math.fround)),
    weight.toArray() as number[][],
  )
  const names = linesOf(folder, 'metadata.tsv')
  t.is(names.length, words.length)
  t.true(names.every((name) => !name.includes('\t')))
  t.deepEqual(names.slice(0, 7), ['whale', 'New York', 'a\\tb', '\\n', '\\u0020', '\\u00a0', 'naïve'])
})

test('the tokens of a tokenizer are written as its vocabulary has them', (t) => {
  const folder = join(base, 'tokens')
  const tokenizer = Tokenizer.load('gpt2')
  const vectors = new Vectors(randn([tokenizer.vocabSize, 2]), tokenizer)
  saveProjector(folder, vectors)
  t.is(linesOf(folder, 'metadata.tsv').length, tokenizer.vocabSize)
  t.is(linesOf(folder, 'metadata.tsv')[vectors.id(' whale')], 'Ġwhale')
})

test('refuses what is not vectors, and a folder that cannot be', (t) => {
  refuses(t, () => saveProjector(base, tensor([[1]]) as never), 'USAGE', 'expected Vectors')
  const file = join(base, 'file')
  writeFileSync(file, '')
  refuses(t, () => saveProjector(join(file, 'x'), new Vectors(tensor([[1]]), ['a'])), 'FILE', 'cannot make the folder')
})
