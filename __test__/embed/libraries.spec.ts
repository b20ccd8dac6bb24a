import test from 'ava'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadFastText, loadSafetensors, TextEmbedder, type EmbedOptions, type Tensor } from '../../index.js'
import { root } from '../support/golden.js'

/**
 * The folders and vectors of make.py, and the vectors of make_st.py and make_fasttext.py; `TOKENBED_EMBED_GOLDENS`
 * names a folder with more of the latter.
 */
const folders = join(root, 'testdata/golden/embed')
const goldens = process.env.TOKENBED_EMBED_GOLDENS ?? folders
const texts: string[] = JSON.parse(readFileSync(join(goldens, 'texts.json'), 'utf8'))
const expected = loadSafetensors(join(goldens, 'goldens.safetensors'))

/** The largest difference between two tensors of numbers, as a part of the largest number. */
function difference(found: Tensor, wanted: Tensor): number {
  const [a, b] = [found, wanted].map((one) => one.to('float64').data as Float64Array)
  let [most, largest] = [0, 0]
  for (let i = 0; i < b.length; i++) {
    if (!(Math.abs(a[i]) < Infinity)) return NaN
    most = Math.max(most, Math.abs(a[i] - b[i]))
    largest = Math.max(largest, Math.abs(b[i]))
  }
  return most / largest
}

for (const [name, wanted] of expected) {
  test(`vectors are those of the library: ${name}`, (t) => {
    // folder[@version][#dim[b]]
    const [, folder, version, dim, bits] = /^(.*?)(@0\.9)?(?:#(\d+)(b)?)?$/.exec(name)!
    const embedder = TextEmbedder.load(
      resolve(folders, folder),
      version === undefined ? {} : { semantics: 'model2vec@0.9' },
    )
    const options: EmbedOptions = dim === undefined ? {} : { dim: Number(dim), normalize: bits === undefined }
    if (bits !== undefined) options.dtype = 'binary'
    const vectors = embedder.embed(texts, options)
    t.deepEqual(vectors.shape, wanted.shape)
    t.is(vectors.dtype, wanted.dtype === 'float64' ? 'float32' : wanted.dtype)
    if (bits !== undefined) {
      t.deepEqual(vectors.data, wanted.data)
      return
    }
    const off = difference(vectors, wanted)
    // The library multiplies int8 rows by float16 weights in float16.
    const isHalf = wanted.dtype === 'float16' || folder === 'm2v-small'
    t.true(off <= (isHalf ? 2e-3 : 1e-6), `${off}`)
  })
}

const made = (name: string) => {
  const path = join(goldens, `${name}.safetensors`)
  return existsSync(path) ? loadSafetensors(path) : []
}

for (const [name, wanted] of made('transformers'))
  test(`vectors are those of sentence-transformers itself: ${name}`, (t) => {
    const off = difference(TextEmbedder.load(join(folders, name)).embed(texts), wanted)
    t.true(off <= 1e-6, `${off}`)
  })

for (const [name, wanted] of made('fasttext'))
  test(`vectors are those of fastText: ${name}`, async (t) => {
    const path = join(root, 'testdata/golden/fasttext', name)
    const { words } = loadFastText(path)
    const known = (i: number) => `${words[i % words.length]} ${words[(3 * i) % words.length]}`
    const embedder = TextEmbedder.load(path)
    const asked = texts.map((text, i) => `${text} ${known(i)}`)
    const vectors = embedder.embed(asked)
    const off = difference(vectors, wanted)
    t.true(off <= 1e-6, `${off}`)
    t.deepEqual((await embedder.embedAsync(asked)).data, vectors.data)
  })

test('the semantics are those of the folder', (t) => {
  const of = (name: string) => TextEmbedder.load(join(folders, name)).semantics
  t.is(of('m2v-f32'), 'model2vec')
  t.is(of('m2v-nested'), 'model2vec')
  t.is(of('st-old'), 'sentence-transformers')
  t.is(of('llama'), 'wordllama')
  t.is(of('llama/weights/tiny_16.safetensors'), 'wordllama')
})
