// Streams and shards of vectors, against the bare embedder on the same texts, and what they do to the event loop.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { embedShards, embedStream, getNumThreads, records, TensorWriter, TextEmbedder } from '../../index.js'
import { median } from '../measure.js'
import type { Report } from '../report.js'
import { documents } from '../texts.js'
import { folders } from './text.js'
import { BATCH, service, workers } from './workers.js'

const ROUNDS = 7
/** Megabytes of text, and how many times as many processes get. */
const SIZE = 40
const MORE = 6
const LENGTH = 300
/** Texts of a batch, as tokens of four characters, whose vectors of 256 numbers take 100 MB. */
const LARGE = { batchTokens: Math.round((100e6 / 1024) * (LENGTH / 4)), maxBytes: 500e6 }

/** Texts of the same length, of so many megabytes. */
export function corpus(): string[] {
  const whole = documents('English').join(' ').replace(/\s+/g, ' ')
  const count = Math.floor((SIZE * 1e6) / LENGTH)
  return Array.from({ length: count }, (_, i) => {
    const from = (i * LENGTH) % (whole.length - LENGTH)
    return whole.slice(from, from + LENGTH)
  })
}

export async function pipelines(report: Report): Promise<void> {
  const at = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  try {
    const [folder] = folders(at)
    if (folder === undefined) {
      report.paragraph(
        'No model: make target/tokenizer-files with `node scripts/tokenizer-files.mjs`, or name folders in TOKENBED_TEXT_MODELS.',
      )
      return
    }
    const texts = corpus()
    await measure(report, at, TextEmbedder.load(folder), texts)
    const large = join(at, 'large.txt')
    writeFileSync(large, Array.from({ length: MORE }, () => texts.join('\n')).join('\n'))
    await workers(report, at, large, folder)
    await service(report, at, folder)
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

async function measure(report: Report, at: string, embedder: TextEmbedder, texts: string[]): Promise<void> {
  const [lines, jsonl] = [join(at, 'texts.txt'), join(at, 'texts.jsonl')]
  writeFileSync(lines, texts.join('\n'))
  writeFileSync(jsonl, texts.map((text, id) => JSON.stringify({ id, text })).join('\n'))
  let runs = 0
  const bare = async (use: (vectors: Awaited<ReturnType<TextEmbedder['embedAsync']>>) => void) => {
    for (let i = 0; i < texts.length; i += BATCH) {
      const vectors = await embedder.embedAsync(texts.slice(i, i + BATCH))
      use(vectors)
      vectors.dispose()
    }
  }
  const stream = async (
    source: Parameters<typeof embedStream>[0],
    limits: { batchTokens?: number; maxBytes?: number } = {},
  ) => {
    for await (const { vectors } of embedStream(source, { embedder, ...limits })) vectors.dispose()
  }
  const ways: Record<string, { of?: string; run: () => Promise<unknown> }> = {
    'the bare embedder, texts in memory': { run: () => bare(() => {}) },
    'embedStream, texts in memory': { of: 'the bare embedder, texts in memory', run: () => stream(texts) },
    'embedStream, texts in memory, batches of 100 MB': {
      of: 'the bare embedder, texts in memory',
      run: () => stream(texts, LARGE),
    },
    'embedStream, lines of a file': { of: 'the bare embedder, texts in memory', run: () => stream(records(lines)) },
    'embedStream, JSON Lines': { of: 'the bare embedder, texts in memory', run: () => stream(records(jsonl)) },
    'the bare embedder, to a file': {
      run: async () => {
        const path = join(at, `bare-${runs++}.safetensors`)
        const writer = new TensorWriter(path, { vectors: { dtype: 'float32', shape: [embedder.dim] } })
        await bare((vectors) => writer.write('vectors', vectors))
        await writer.closeAsync()
        rmSync(path)
      },
    },
    'embedShards, lines of a file': {
      of: 'the bare embedder, to a file',
      run: async () => {
        const folder = join(at, `shards-${runs++}`)
        await embedShards(folder, [lines], { embedder, model: 'bench', shardRows: 50_000 })
        rmSync(folder, { recursive: true })
      },
    },
  }
  const seconds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]))
  const delays = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, { run }] of Object.entries(ways)) {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      const start = performance.now()
      await run()
      seconds.get(name)!.push((performance.now() - start) / 1e3)
      delay.disable()
      // The first round warms up.
      if (round > 0) delays.set(name, Math.max(delays.get(name) ?? 0, delay.max / 1e6))
    }
  }
  const rate = (name: string) => statSync(lines).size / 1e6 / median(seconds.get(name)!.slice(1))
  report.paragraph(
    `${texts.length} texts of ${LENGTH} characters, ${SIZE} MB; vectors of ${embedder.dim}; ${getNumThreads()} threads. Medians of ${ROUNDS - 1} rounds in turn.`,
  )
  report.table(
    ['', 'MB of text/s', 'of the bare embedder', 'longest delay of the event loop'],
    Object.entries(ways).map(([name, { of }]) => [
      name,
      rate(name).toFixed(1),
      of === undefined ? '' : `${((100 * rate(name)) / rate(of)).toFixed(0)} %`,
      `${delays.get(name)!.toFixed(1)} ms`,
    ]),
  )
}
