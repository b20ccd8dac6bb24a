// One of many processes that write and read one model: node model-stress.js write|read folder seconds number

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { full, loadModel, saveModel, tensor, Tokenizer, type Model } from '../../index.js'

const [role, folder, seconds, number] = process.argv.slice(2)
const until = performance.now() + Number(seconds) * 1e3

/** Models with smaller numbers have words; the others have a tokenizer. */
const KINDS = 500

const rowsOf = (seed: number) => 3 + (seed % 37)

/** Every part of a model depends only on its seed. */
function save(seed: number, scratch: string): void {
  const words = Array.from({ length: rowsOf(seed) }, (_, i) => `w${i}x${seed}`)
  const tensors = { 'token.weight': full([words.length, 8], seed), 'head.bias': tensor([seed, seed + 1]) }
  const common = { objective: `seed ${seed}`, tensors, counts: words.map(() => seed), training: { seed } }
  if (seed < KINDS) return saveModel(folder, { ...common, vocabulary: words })
  const path = join(scratch, 'tokenizer.json')
  const model = {
    type: 'WordLevel',
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    unk_token: words[0],
  }
  writeFileSync(
    path,
    JSON.stringify({
      version: '1.0',
      truncation: null,
      padding: null,
      normalizer: null,
      post_processor: null,
      added_tokens: [],
      pre_tokenizer: { type: 'Whitespace' },
      decoder: null,
      model,
    }),
  )
  saveModel(folder, { ...common, vocabulary: Tokenizer.fromFile(path) })
}

/** What is wrong with a model, all of which must come from one seed; undefined if nothing is. */
function mixed({ objective, weight, tensors, words, tokenizer, counts, description }: Model): string | null {
  const { seed } = description.training as { seed: number }
  const rows = rowsOf(seed)
  const wrong = (what: string) => `seed ${seed}: ${what}`
  if (objective !== `seed ${seed}`) return wrong(`the objective is ${objective}`)
  if (weight.shape[0] !== rows || !(weight.data as Float32Array).every((x) => x === seed))
    return wrong(`the vectors are ${weight.shape} of ${(weight.data as Float32Array)[0]}`)
  if (String([...(tensors.get('head.bias')!.data as Float32Array)]) !== `${seed},${seed + 1}`)
    return wrong('the bias is of another')
  if (counts?.length !== rows || counts.some((count) => count !== seed)) return wrong(`counts are ${counts}`)
  const names = words ?? Array.from({ length: tokenizer!.vocabSize }, (_, id) => tokenizer!.decode([id]))
  if ((words === null) !== seed >= KINDS || names.length !== rows || names.some((name, i) => name !== `w${i}x${seed}`))
    return wrong(`names are ${names}`)
  return null
}

function write(): object {
  const scratch = mkdtempSync(join(tmpdir(), 'tokenbed-stress-'))
  const errors: Record<string, number> = {}
  let done = 0
  for (let i = 0; performance.now() < until; i++) {
    try {
      save(((i * 13 + Number(number) * 7) % KINDS) + (i % 2 === 0 ? 0 : KINDS), scratch)
      done++
    } catch (error) {
      count(errors, error)
    }
  }
  return { done, mixed: [], errors }
}

function read(): object {
  const errors: Record<string, number> = {}
  const found: string[] = []
  let done = 0
  for (let i = 0; performance.now() < until; i++) {
    try {
      const model = loadModel(folder)
      const wrong = mixed(model)
      if (wrong !== null) found.push(wrong)
      for (const one of model.tensors.values()) one.dispose()
      done++
    } catch (error) {
      count(errors, error)
    }
  }
  return { done, mixed: found.slice(0, 5), errors }
}

/** Errors that differ only in paths and numbers count as one. */
function count(errors: Record<string, number>, error: unknown): void {
  const text = String(error)
    .replaceAll(folder, 'FOLDER')
    .replace(/[0-9]+/g, 'N')
  errors[text] = (errors[text] ?? 0) + 1
}

process.stdout.write(JSON.stringify(role === 'write' ? write() : read()))
