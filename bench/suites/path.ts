// The whole path from text to vectors, beside its stages.

import {
  createDataLoader,
  Generator,
  streamBatches,
  Tokenizer,
  TokenPositionEmbedding,
  zeros,
  type Batch,
} from '../../index.js'
import { interleave } from '../measure.js'
import { time, type Report } from '../report.js'
import { documents } from '../texts.js'

const BATCH = 8
const LENGTH = 256
const DIM = 256

export async function path(report: Report): Promise<void> {
  const text = documents('English').join('\n')
  const tokenizer = Tokenizer.load('gpt2')
  const layer = new TokenPositionEmbedding({
    vocabSize: tokenizer.vocabSize,
    contextLength: LENGTH,
    dim: DIM,
    generator: new Generator(1),
  })
  const out = zeros([BATCH, LENGTH, DIM])
  const windowing = { batchSize: BATCH, maxLength: LENGTH, stride: LENGTH }
  const options = { ...windowing, shuffle: false }
  const ids = tokenizer.encode(text)
  const look = ({ inputs }: Batch) => layer.forward(inputs, { out })
  const batches = [...createDataLoader(ids, options)]
  const tokens = batches.length * BATCH * LENGTH
  const loop = () => {
    for (const batch of createDataLoader(text, options)) {
      look(batch)
      batch.inputs.dispose()
      batch.targets.dispose()
    }
  }
  const windows = () => {
    for (const { inputs, targets } of createDataLoader(ids, options)) {
      inputs.dispose()
      targets.dispose()
    }
  }
  const stages = [
    { name: 'text to ids', run: () => tokenizer.encode(text) },
    { name: 'ids to windows', run: windows },
    { name: 'windows to vectors', run: () => batches.forEach(look) },
    { name: 'the whole: a loop over createDataLoader', run: loop },
  ]
  const results = interleave(stages, 9, 30).map(({ name, median }) => ({ name, us: median }))
  results.push({
    name: 'the whole: streamBatches',
    us: await streamed(() => streamBatches({ texts: [text] }, windowing), look),
  })
  report.paragraph(
    `A book of ${tokens} tokens, gpt2; windows of ${LENGTH} in batches of ${BATCH}; token + position vectors of ${DIM} numbers into one tensor. Medians of 9 interleaved rounds.`,
  )
  const perSecond = (us: number) => `${(tokens / us).toFixed(2)}`
  report.table(
    ['', 'the book', 'million tokens a second'],
    results.map(({ name, us }) => [name, time(us), perSecond(us)]),
  )
  const sum = results.slice(0, 3).reduce((total, { us }) => total + us, 0)
  report.paragraph(
    `The three stages together take ${time(sum)}; the loop takes ${(results[3].us / sum).toFixed(2)} times that.`,
  )
  for (const tensor of [...layer.parameters(), out]) tensor.dispose()
}

/** Median microseconds of iterating over a stream. */
async function streamed(open: () => AsyncIterable<Batch>, look: (batch: Batch) => unknown): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 9; round++) {
    const start = performance.now()
    for await (const batch of open()) {
      look(batch)
      batch.inputs.dispose()
      batch.targets.dispose()
    }
    times.push((performance.now() - start) * 1e3)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]
}
