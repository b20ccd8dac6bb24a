// Tokenizers of GGUF files, against the tokenizer.json that they were made from, and against what llama.cpp expects of
// its own vocabularies, where `node scripts/gguf-vocabularies.mjs` has fetched them.

import test from 'ava'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, saveModel, Tokenizer, zeros } from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { writeGGUF, type GGUFValue } from '../support/gguf-file.js'
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

const folder = temporaryFolder()
let number = 0
const made = (metadata: Record<string, GGUFValue>) =>
  Tokenizer.fromGGUF(
    writeGGUF(
      join(folder, `${number++}.gguf`),
      Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`tokenizer.ggml.${key}`, value])),
    ),
  )
const LETTERS = ['<unk>', '<s>', '</s>', 'a', 'b', 'ab', 'ba', 'aba']
const SPM = { model: 'llama', tokens: LETTERS, scores: [0, 0, 0, -9, -9, -2, -1, -3], add_space_prefix: false }
const BPE = { model: 'gpt2', pre: 'gpt-2', tokens: ['a', 'b', 'c', 'ab', 'abc'], merges: ['a b', 'ab c'] }
const ids = (tokenizer: Tokenizer, text: string) => [...tokenizer.encode(text, plain)]

test('of neighbours those with the highest score become one first', (t) => {
  const tokenizer = made(SPM)
  t.deepEqual(ids(tokenizer, 'aba'), [7])
  t.deepEqual(ids(tokenizer, 'abab'), [7, 4])
  t.deepEqual([...tokenizer.encode('ab')], [1, 5], 'a text begins with the token of the beginning')
  t.deepEqual([...made({ ...SPM, add_bos_token: false, add_eos_token: true }).encode('ab')], [5, 2])
})

test('merges that make no token are left out, and words that are tokens are found', (t) => {
  t.deepEqual(ids(made({ ...BPE, merges: ['a b', 'b c', 'ab c', 'x', ''] }), 'abcb'), [4, 1])
  t.deepEqual(ids(made({ ...BPE, pre: 'llama-bpe', merges: ['a b'] }), 'abc'), [4])
  t.deepEqual(ids(made({ ...BPE, merges: ['a b'] }), 'abc'), [3, 2])
  t.deepEqual(ids(made({ model: 'gpt2', tokens: ['a', '', 'b', 'a'], merges: [] as string[] }), 'ab'), [3, 2])
})

test('vocabularies that contradict themselves are refused', (t) => {
  const cases: [Record<string, GGUFValue>, string][] = [
    [{ ...SPM, model: 'rwkv' }, '"rwkv", and known are gpt2, llama, bert, t5'],
    [{ ...SPM, model: 'constructor' }, 'known are'],
    [{ ...SPM, model: 3 }, 'known are'],
    [{ ...BPE, pre: 'new' }, '"new", whose way of cutting words is not known'],
    [{ model: 'gpt2', pre: 'gpt-2', tokens: ['a'] }, 'tokenizer.ggml.merges is missing'],
    [{ model: 'llama', tokens: ['a'] }, 'tokenizer.ggml.scores is missing'],
    [{ model: 't5', tokens: ['a'] }, 'tokenizer.ggml.scores is missing'],
    [{ model: 'bert', tokens: ['a'] }, 'unknown_token_id'],
    [{ model: 'llama' }, 'tokenizer.ggml.tokens is missing'],
    [{ ...SPM, tokens: [1, 2] }, 'no array of texts'],
    [{ ...SPM, tokens: 'abc' }, 'no array of texts'],
    [{ ...SPM, scores: [1] }, 'scores has 1 elements'],
    [{ ...SPM, scores: [NaN, 0, 0, 0, 0, 0, 0, 0] }, 'no array of finite numbers'],
    [{ ...SPM, token_type: [1] }, 'token_type has 1 elements'],
    [{ ...BPE, merges: [1] }, 'no array of texts'],
  ]
  for (const [metadata, said] of cases) refuses(t, () => made(metadata), 'FORMAT', said)
})

test('a token without end is no trouble', (t) => {
  const long = 'ab'.repeat(1_000_000)
  const tokens = [...LETTERS, ...Array.from({ length: 50 }, (_, i) => long.slice(i))]
  t.deepEqual(ids(made({ ...SPM, tokens, scores: tokens.map(() => 0) }), 'b'), [4])
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
