// Tokenizers of GGUF files, against the tokenizer.json that they were made from, and against what llama.cpp expects of
// its own vocabularies, where `node scripts/gguf-vocabularies.mjs` has fetched them.

import test from 'ava'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, saveModel, Tokenizer, zeros } from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const golden = (name: string) => join(root, 'testdata/golden', name)
const { texts } = readGolden<{ texts: string[] }>('hf/cases.json')
const plain = { addSpecialTokens: false, allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() }

/** The file of Unigram normalizes texts in a way that the GGUF file does not say. */
const isNormal = (text: string) => text.normalize('NFKC') === text

for (const name of ['byte-level', 'llama', 'wordpiece', 'unigram']) {
  test(`gives the ids of the tokenizer.json that it was made from: ${name}`, (t) => {
    const ours = Tokenizer.fromGGUF(golden(`gguf/tokenizer-${name}.gguf`))
    const original = Tokenizer.fromFile(golden(`hf/${name}.json`))
    t.is(ours.vocabSize, original.vocabSize)
    t.deepEqual([...ours.specialTokens], [...original.specialTokens])
    for (const text of texts.filter((text) => name !== 'unigram' || isNormal(text))) {
      const ids = original.encode(text)
      t.deepEqual(ours.encode(text), ids, JSON.stringify(text))
      t.is(ours.decode(ids), original.decode(ids), JSON.stringify(text))
    }
  })
}

test('a model that is saved with it has its tokenizer.json', (t) => {
  const tokenizer = Tokenizer.fromGGUF(golden('gguf/tokenizer-llama.gguf'))
  t.is(tokenizer.name, 'tokenizer-llama.gguf')
  const folder = join(temporaryFolder(), 'model')
  saveModel(folder, {
    objective: 'test',
    tensors: { 'token.weight': zeros([tokenizer.vocabSize, 2]) },
    vocabulary: tokenizer,
  })
  t.deepEqual(loadModel(folder).tokenizer!.encode('Call me Ishmael'), tokenizer.encode('Call me Ishmael'))
})

test('files without a tokenizer that can be read are refused', (t) => {
  const { path } = refuses(t, () => Tokenizer.fromGGUF(golden('gguf/kinds.gguf')), 'FORMAT', 'has no tokenizer')
  t.is(path, golden('gguf/kinds.gguf'))
  refuses(t, () => Tokenizer.fromGGUF(golden('hf/llama.json')), 'FORMAT', 'not a GGUF file')
  refuses(t, () => Tokenizer.fromFile(golden('gguf/tokenizer-llama.gguf')), 'FORMAT', 'Tokenizer.fromGGUF')
  refuses(t, () => Tokenizer.fromGGUF(golden('gguf/absent.gguf')), 'FILE', 'absent.gguf')
})

const fetched = join(root, 'target/gguf-vocabularies')
const files = existsSync(fetched) ? readdirSync(fetched).filter((name) => name.endsWith('.out')) : []

for (const out of files) {
  test(`gives the ids that llama.cpp expects: ${out}`, (t) => {
    const file = join(fetched, out.slice(0, -'.out'.length))
    const tokenizer = Tokenizer.fromGGUF(file)
    const cases = readFileSync(`${file}.inp`, 'utf8').split('\n__ggml_vocab_test__\n')
    const wanted = readFileSync(`${file}.out`, 'utf8').split('\n')
    t.true(cases.length > 40)
    cases.forEach((text, i) => {
      t.is(tokenizer.encode(text, plain).join(' '), wanted[i].trim(), JSON.stringify(text))
    })
  })
}
