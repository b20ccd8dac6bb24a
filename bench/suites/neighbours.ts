// The nearest rows of a table, against a loop in JavaScript, and against gensim if there is a Python that has it.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Generator, randn, setNumThreads, Vectors } from '../../index.js'
import { interleave } from '../measure.js'
import { ROOT, times, type Report } from '../report.js'

const SIZES = [
  [50_000, 100],
  [400_000, 100],
  [100_000, 300],
] as const
const TOP = 10

/** What users would write: a loop over the rows with precomputed norms, and a sort. */
function plain(table: Float32Array, rows: number, dim: number): (query: Float32Array) => number[] {
  const inverse = Float32Array.from({ length: rows }, (_, id) => {
    let sum = 0
    for (let d = 0; d < dim; d++) sum += table[id * dim + d] ** 2
    return 1 / Math.sqrt(sum)
  })
  return (query) => {
    const scores = new Float32Array(rows)
    for (let id = 0; id < rows; id++) {
      let sum = 0
      for (let d = 0; d < dim; d++) sum += table[id * dim + d] * query[d]
      scores[id] = sum * inverse[id]
    }
    return Array.from(scores.keys())
      .sort((a, b) => scores[b] - scores[a])
      .slice(0, TOP)
  }
}

export function neighbours(report: Report): void {
  const head = [
    'rows x dim',
    'one thread',
    'GB/s',
    'two threads',
    'against plain JavaScript',
    'against gensim, one / two threads',
  ]
  report.paragraph(
    `The ${TOP} nearest rows of a word, in milliseconds; tokenbed and the loop take turns, gensim runs afterwards in a process of its own.`,
  )
  let missing: string | null = null
  const rows = SIZES.map(([rows, dim]) => {
    const weight = randn([rows, dim], { generator: new Generator(1) })
    const vectors = new Vectors(
      weight,
      Array.from({ length: rows }, (_, id) => `w${id}`),
    )
    const loop = plain(weight.data as Float32Array, rows, dim)
    let next = 0
    const word = () => `w${(next += 7) % rows}`
    const on = (threads: number) => () => (setNumThreads(threads), vectors.mostSimilar(word(), { topN: TOP }))
    const [one, two, theirs] = interleave(
      [
        { name: 'one', run: on(1) },
        { name: 'two', run: on(2) },
        { name: 'plain', run: () => loop(vectors.vector(word())) },
      ],
      9,
      100,
    )
    weight.dispose()
    const gensim = [1, 2].map((threads) => runGensim(rows, dim, threads))
    missing ??= gensim[0] === null ? 'TOKENBED_PYTHON (or python3) does not have it' : null
    const ours = [one.median / 1e3, two.median / 1e3]
    const against = gensim.map((median, i) => (median === null ? '' : times(median / ours[i]))).join(' / ')
    return [
      `${rows} x ${dim}`,
      ours[0].toFixed(2),
      ((rows * dim * 4) / ours[0] / 1e6).toFixed(1),
      ours[1].toFixed(2),
      times(theirs.median / one.median),
      against,
    ]
  })
  report.table(head, rows)
  if (missing !== null) report.missing('gensim', missing)
}

function runGensim(rows: number, dim: number, threads: number): number | null {
  const python = process.env.TOKENBED_PYTHON ?? 'python3'
  try {
    const args = [join(ROOT, 'bench/peers/gensim_neighbours.py'), ...[rows, dim, TOP].map(String)]
    const env = { ...process.env, OPENBLAS_NUM_THREADS: String(threads) }
    return JSON.parse(execFileSync(python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env })).median
  } catch {
    return null
  }
}
