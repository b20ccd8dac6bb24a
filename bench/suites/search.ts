// The nearest rows of a large table, against faiss, NumPy and usearch, if there is a Python that has them.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Generator, quantize, randn, saveNpy, setNumThreads, tensor, topK, type Tensor } from '../../index.js'
import { interleave, median } from '../measure.js'
import { ROOT, times, type Report } from '../report.js'

const [ROWS, DIM, QUERIES, K] = [Number(process.env.TOKENBED_BENCH_ROWS ?? 1_000_000), 256, 1000, 10]
const PEERS = ['faiss', 'numpy', 'usearch'] as const

interface Theirs {
  versions: Record<string, string>
  one: Record<string, number>
  all: Record<string, number>
  ids?: number[][]
  blas: unknown
}

/** Sums all elements as 64-bit integers, which reads the table and does little else. */
function reading(rows: Tensor): () => number {
  const words = new Float64Array(rows.data.buffer as ArrayBuffer, rows.data.byteOffset, rows.size / 2)
  return () => {
    let sum = 0
    // One element of each cache line.
    for (let i = 0; i < words.length; i += 8) sum += words[i]
    return sum
  }
}

export function search(report: Report): void {
  const rows = randn([ROWS, DIM], { generator: new Generator(1) })
  const queries = randn([QUERIES, DIM], { generator: new Generator(2) })
  report.paragraph(
    `The ${K} nearest of ${ROWS} rows of ${DIM} by dot product, exactly. The Python packages run afterwards, on one thread, in a process of their own.`,
  )
  const int8 = quantize(rows, 'int8')
  const half = rows.to('float16')
  const bits = bitsOf(rows)
  const [one] = [queries.narrow(0, 0, 1)]
  const oneBits = bitsOf(one)
  setNumThreads(1)
  const read = reading(rows)
  const alone = interleave(
    [
      { name: 'plain read of float32', run: read },
      { name: 'float32', run: () => topK(one, rows, { metric: 'dot', k: K }) },
      { name: 'float16', run: () => topK(one, half, { metric: 'dot', k: K }) },
      { name: 'int8', run: () => topK(one, int8, { metric: 'dot', k: K }) },
      { name: 'bits', run: () => topK(oneBits, bits, { k: K }) },
      { name: 'float32, cosine', run: () => topK(one, rows, { metric: 'cosine', k: K }) },
      { name: 'int8, cosine', run: () => topK(one, int8, { metric: 'cosine', k: K }) },
    ],
    9,
    200,
  )
  const float32 = alone[1].median
  report.table(
    ['one query, one thread', 'milliseconds', 'GB/s', 'against float32'],
    alone.map(({ name, median }, i) => [
      name,
      (median / 1e3).toFixed(2),
      ((ROWS * [DIM * 4, DIM * 4, DIM * 2, DIM + 8, DIM / 8, DIM * 4, DIM + 8][i]) / median / 1e3).toFixed(1),
      times(float32 / median),
    ]),
  )
  const took = (threads: number, run: () => void) => {
    setNumThreads(threads)
    run()
    const all = Array.from({ length: 3 }, () => {
      const start = performance.now()
      run()
      return performance.now() - start
    })
    return median(all)
  }
  const many = () => {
    const { ids, scores } = topK(queries, rows, { metric: 'dot', k: K })
    ids.dispose()
    scores.dispose()
  }
  const [single, both] = [took(1, many), took(2, many)]
  const found = topK(queries, rows, { metric: 'dot', k: K }).ids.toArray() as number[][]
  const theirs = runPython(rows, queries)
  if (theirs === null) report.missing('faiss, NumPy and usearch', 'TOKENBED_PYTHON (or python3) does not have NumPy')
  const gflops = (milliseconds: number) => ((2 * ROWS * DIM * QUERIES) / milliseconds / 1e6).toFixed(0)
  report.table(
    ['', `${QUERIES} queries, ms`, 'GFLOP/s', 'ours is faster by', 'one query, ms', 'ours is faster by'],
    [
      ['tokenbed, one thread', single.toFixed(0), gflops(single), '', (float32 / 1e3).toFixed(2), ''],
      ['tokenbed, two threads', both.toFixed(0), gflops(both), '', '', ''],
      ...PEERS.filter((name) => theirs?.all[name] !== undefined).map((name) => [
        `${name} ${theirs!.versions[name]}, one thread`,
        theirs!.all[name].toFixed(0),
        gflops(theirs!.all[name]),
        times(theirs!.all[name] / single),
        theirs!.one[name].toFixed(2),
        times((theirs!.one[name] * 1e3) / float32),
      ]),
    ],
  )
  if (theirs?.ids) {
    const same = found.filter((ids, query) => new Set([...ids, ...theirs.ids![query]]).size === K).length
    report.paragraph(
      `The sets of ${K} rows are those of faiss for ${same} of ${QUERIES} queries. BLAS: ${JSON.stringify(theirs.blas)}.`,
    )
  }
}

/** The bits of rows: 1 where an element is above 0, the first in the highest bit. */
function bitsOf(rows: Tensor): Tensor {
  const [count, dim] = rows.shape
  const bytes = new Uint8Array((count * dim) / 8)
  rows.data.forEach((x, i) => {
    if (Number(x) > 0) bytes[i >> 3] |= 128 >> (i & 7)
  })
  return tensor(bytes, { shape: [count, dim / 8] })
}

function runPython(rows: Tensor, queries: Tensor): Theirs | null {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-search-'))
  const { OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, ...rest } = process.env
  try {
    const files = [join(folder, 'rows.npy'), join(folder, 'queries.npy')]
    saveNpy(files[0], rows)
    saveNpy(files[1], queries)
    const python = process.env.TOKENBED_PYTHON ?? 'python3'
    const output = execFileSync(python, [join(ROOT, 'bench/peers/search.py'), ...files, String(K), '9'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...rest, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1' },
    })
    return JSON.parse(output)
  } catch {
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
