// Runs every reader on a path of any kind: node special-files.js path folder. Prints a line of JSON as each one ends.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadFastText,
  loadGGUF,
  loadModel,
  loadNpy,
  loadSafetensors,
  loadGlove,
  loadWord2Vec,
  saveModel,
  streamBatches,
  streamIds,
  tensor,
  Tokenizer,
  Trainer,
} from '../../index.js'

const [path, folder] = process.argv.slice(2)
const gpt2 = Tokenizer.load('gpt2')
const JSON_FILE = JSON.stringify({
  version: '1.0',
  truncation: null,
  padding: null,
  normalizer: null,
  post_processor: null,
  added_tokens: [],
  pre_tokenizer: { type: 'Whitespace' },
  decoder: null,
  model: { type: 'WordLevel', vocab: { a: 0, b: 1 }, unk_token: 'a' },
})

async function all(source: AsyncIterable<unknown>): Promise<void> {
  for await (const part of source) void part
}

/** A model's folder in which the path takes the place of one file. */
function withFile(name: string): () => unknown {
  return () => {
    const model = join(folder, `model-${name}`)
    const own = join(folder, 'own.json')
    writeFileSync(own, JSON_FILE)
    const vocabulary = name === 'tokenizer.json' ? Tokenizer.fromFile(own) : ['a', 'b']
    saveModel(model, {
      objective: 'x',
      tensors: {
        'token.weight': tensor([
          [1, 2],
          [3, 4],
        ]),
      },
      vocabulary,
    })
    rmSync(join(model, name))
    symlinkSync(path, join(model, name))
    return loadModel(model)
  }
}

/** A tokenizer whose file was replaced by the path after it was loaded. */
function saved(): unknown {
  const own = join(folder, 'changed.json')
  writeFileSync(own, JSON_FILE)
  const vocabulary = Tokenizer.fromFile(own)
  rmSync(own)
  symlinkSync(path, own)
  return saveModel(join(folder, 'changed'), {
    objective: 'x',
    tensors: { 'token.weight': tensor([[1], [2]]) },
    vocabulary,
  })
}

const whole: Record<string, () => unknown> = {
  'Tokenizer.fromFile': () => Tokenizer.fromFile(path),
  'Tokenizer.fromGGUF': () => Tokenizer.fromGGUF(path),
  loadFastText: () => loadFastText(path),
  loadGGUF: () => loadGGUF(path),
  loadWord2Vec: () => loadWord2Vec(path),
  loadGlove: () => loadGlove(path),
  loadSafetensors: () => loadSafetensors(path),
  verify: () => loadSafetensors(path, { verify: true }),
  loadNpy: () => loadNpy(path),
  'Trainer.resume': () => Trainer.resume(path, { texts: ['a b'] }),
  'model.json': withFile('model.json'),
  'model.safetensors': withFile('model.safetensors'),
  'vocab.txt': withFile('vocab.txt'),
  'tokenizer.json': withFile('tokenizer.json'),
  saveModel: saved,
}

const streams: Record<string, () => unknown> = {
  streamIds: () => all(streamIds({ files: [path] }, { tokenizer: gpt2 })),
  streamBatches: () => all(streamBatches({ files: [path] }, { tokenizer: gpt2, batchSize: 1, maxLength: 4 })),
  words: () => new Trainer({ files: [path] }, { objective: 'skip-gram' }).run(),
  lines: () => new Trainer({ files: [path] }, { objective: 'classify', tokenizer: gpt2 }).run(),
  ids: () => new Trainer({ files: [path] }, { objective: 'next-token', tokenizer: gpt2 }).run(),
}

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const [name, read] of Object.entries(process.argv[4] === 'whole' ? whole : { ...whole, ...streams })) {
    let said: object
    try {
      await read()
      said = { ended: 'well' }
    } catch (error) {
      const { name: kind, code, message, path: named } = error as Error & { code?: string; path?: string }
      said = { kind, code, message, path: named }
    }
    process.stdout.write(`${JSON.stringify({ name, ...said })}\n`)
  }
}

void main()
