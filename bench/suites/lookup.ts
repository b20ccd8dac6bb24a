// Lookups against a memcpy of the same bytes and against plain JavaScript.

import { Generator, getNumThreads, setNumThreads, TokenPositionEmbedding, zeros } from '../../index.js'
import { drawIds } from '../ids.js'
import { interleave, type Candidate, type Result } from '../measure.js'
import { time, times, type Report } from '../report.js'

const VOCABULARY = 50257

/** A batch to look up. */
interface Case {
  name: string
  batch: number
  length: number
  dim: number
  ids: 'uniform' | 'zipf'
}

const CASES: readonly Case[] = (['uniform', 'zipf'] as const).flatMap((ids) => [
  { name: `(8, 4) x 256, ${ids}`, batch: 8, length: 4, dim: 256, ids },
  { name: `(32, 1024) x 768, ${ids}`, batch: 32, length: 1024, dim: 768, ids },
])

/** The names of the candidates, in the order of the columns. */
const NAMES = {
  memcpy: 'memcpy of the bytes',
  jsGather: 'plain JavaScript: gather',
  jsFused: 'plain JavaScript: gather + position',
  gather: 'Embedding, out',
  fused: 'TokenPosition, out',
  gatherDisposed: 'Embedding, disposed',
  fusedDisposed: 'TokenPosition, disposed',
  gatherFresh: 'Embedding, no out',
  fusedFresh: 'TokenPosition, no out',
} as const

/** Measures one case. */
function measure({ batch, length, dim, ids: kind }: Case): Result[] {
  const layer = new TokenPositionEmbedding({
    vocabSize: VOCABULARY,
    contextLength: length,
    dim,
    generator: new Generator(1),
  })
  const { token, position } = layer
  const ids = drawIds(batch * length, VOCABULARY, kind)
  const shape = [batch, length]
  const out = zeros([...shape, dim])
  const target = out.data as Float32Array
  target.fill(1)
  const source = Float32Array.from(target)
  // Plain JavaScript works on arrays of its own, as a user's code would.
  const [table, positions] = [token, position].map(({ weight }) => Float32Array.from(weight.data as Float32Array))
  const gather = () => {
    for (let i = 0; i < ids.length; i++) target.set(table.subarray(ids[i] * dim, ids[i] * dim + dim), i * dim)
  }
  const add = () => {
    for (let i = 0; i < ids.length; i++) {
      const [at, from] = [i * dim, (i % length) * dim]
      for (let d = 0; d < dim; d++) target[at + d] += positions[from + d]
    }
  }
  // Each group has turns of its own, because dropped results would take the buffers that others give back to the
  // pool.
  const groups: Candidate[][] = [
    [
      { name: NAMES.memcpy, run: () => target.set(source) },
      { name: NAMES.jsGather, run: gather },
      { name: NAMES.jsFused, run: () => (gather(), add()) },
      { name: NAMES.gather, run: () => token.forward(ids, { shape, out }) },
      { name: NAMES.fused, run: () => layer.forward(ids, { shape, out }) },
    ],
    [
      { name: NAMES.gatherDisposed, run: () => token.forward(ids, { shape }).dispose() },
      { name: NAMES.fusedDisposed, run: () => layer.forward(ids, { shape }).dispose() },
    ],
    [
      { name: NAMES.gatherFresh, run: () => token.forward(ids, { shape }) },
      { name: NAMES.fusedFresh, run: () => layer.forward(ids, { shape }) },
    ],
  ]
  const results = groups.flatMap((group) => interleave(group, 15, 30))
  for (const tensor of [...layer.parameters(), out]) tensor.dispose()
  return results
}

export function lookup(report: Report): void {
  report.paragraph('Lookups on 1 thread; medians of 15 interleaved rounds.')
  const before = getNumThreads()
  setNumThreads(1)
  for (const one of CASES) {
    report.section(one.name)
    report.table(['', 'a call', 'against memcpy', 'against plain JavaScript', 'page faults'], rowsOf(measure(one)))
  }
  setNumThreads(before)
}

/** Rows of time, speed against memcpy and plain JavaScript, and page faults. */
function rowsOf(results: readonly Result[]): string[][] {
  const of = (name: string) => results.find((result) => result.name === name)!.median
  return results.map(({ name, median, faults }) => {
    const peer = name.startsWith('TokenPosition') ? NAMES.jsFused : NAMES.jsGather
    const againstJs = name.startsWith('plain') || name === NAMES.memcpy ? '' : times(of(peer) / median)
    return [name, time(median), times(of(NAMES.memcpy) / median), againstJs, faults.toFixed(1)]
  })
}
