import test from 'ava'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from '../../index.js'
import { root } from '../support/golden.js'

const folder = join(tmpdir(), `tokenbed-engine-${process.pid}`)
mkdirSync(folder, { recursive: true })
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const pathOf = (name: string) => join(root, `testdata/golden/hf/${name}.json`)

/** The tokenizer of a file with other parts. */
function changed(name: string, parts: object): Tokenizer {
  const path = join(folder, 'tokenizer.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(pathOf(name), 'utf8')), ...parts }))
  return Tokenizer.fromFile(path)
}

test('encodings and ordinary files are encoded by the engine of the package', (t) => {
  for (const name of ['gpt2', 'cl100k_base', 'o200k_base'] as const) {
    const tokenizer = Tokenizer.load(name)
    t.deepEqual([tokenizer.engine, tokenizer.engineReason], ['native', null])
  }
  for (const name of ['byte-level', 'wordpiece', 'unigram', 'llama', 'wordlevel']) {
    const tokenizer = Tokenizer.fromFile(pathOf(name))
    t.deepEqual([tokenizer.engine, tokenizer.engineReason], ['native', null], name)
  }
})

test('a file with a part that only the library knows says which it is, and has the same interface', async (t) => {
  const tokenizer = changed('wordlevel', { pre_tokenizer: { type: 'UnicodeScripts' } })
  t.deepEqual([tokenizer.engine, tokenizer.engineReason], ['tokenizers', 'pre_tokenizer: UnicodeScripts'])
  const many = 'the whale and the ship, \u{1f40b} of \u{6587} it '.repeat(8000)
  t.deepEqual(await tokenizer.encodeAsync(many), tokenizer.encode(many))
  t.deepEqual(tokenizer.encodeOffsets(many).ids, tokenizer.encode(many))
  t.deepEqual(await tokenizer.encodeBatchAsync([many, 'a']), tokenizer.encodeBatch([many, 'a']))
  // The same pieces, cut by steps that the engine knows.
  const several = (...steps: object[]) => ({ pre_tokenizer: { type: 'Sequence', pretokenizers: steps } })
  const whitespace = { type: 'WhitespaceSplit' }
  const slow = changed('wordlevel', several(whitespace, { type: 'UnicodeScripts' }))
  const ordinary = changed('wordlevel', several(whitespace))
  t.deepEqual([slow.engine, slow.engineReason], ['tokenizers', 'pre_tokenizer: UnicodeScripts'])
  t.is(ordinary.engine, 'native')
  const text = 'the whale and the ship \u{6587} of it '.repeat(2000)
  t.deepEqual(slow.encode(text), ordinary.encode(text))
  t.deepEqual(slow.encodeOffsets(text), ordinary.encodeOffsets(text))
  t.deepEqual(await slow.encodeAsync(text), ordinary.encode(text))
  t.deepEqual(await slow.encodeBatchAsync([text, 'a']), ordinary.encodeBatch([text, 'a']))
  t.is(slow.count(text), ordinary.count(text))
})
