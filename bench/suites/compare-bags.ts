// Sums and means of bags, from tables in float32 and narrower types, against PyTorch (whose int8 and int4 are
// FBGEMM's).

import { Embedding, EmbeddingBag, Generator, quantize, setNumThreads, tensor, zeros } from '../../index.js'
import { difference, drawIds, exchange } from '../ids.js'
import { readFloats } from '../peers/floats.js'
import type { TorchProcess } from '../peers/torch-process.js'
import { time, times, type Report } from '../report.js'
import type { Targets } from '../targets.js'
import { local, rounds, type Player, type Turn } from '../turns.js'

const ROWS = 50257
const DIM = 768
const BAGS = 1024
const LENGTH = 32
const THREADS = [1, 2]
const JOBS = ['sum float32', 'mean float32', 'sum float16', 'sum int8', 'sum int4'] as const
type Job = (typeof JOBS)[number]

/**
 * How far sums of 32 draws from N(0, 1) may differ: the orders of adding differ, and for halves PyTorch's result is
 * in halves.
 */
const TOLERANCES: Record<Job, number> = {
  'sum float32': 2e-5,
  'mean float32': 1e-6,
  'sum float16': 4e-2,
  'sum int8': 1e-4,
  'sum int4': 1e-3,
}

export interface Measuring {
  seed: number
  rounds: number
  milliseconds: number
}

export async function compareBags(
  report: Report,
  torch: TorchProcess | null,
  targets: Targets,
  how: Measuring,
): Promise<void> {
  const table = new Embedding(ROWS, DIM, { generator: new Generator(how.seed) }).weight
  const bagOf = (job: Job) => {
    const [mode, type] = job.split(' ') as ['sum' | 'mean', 'float32' | 'float16' | 'int8' | 'int4']
    return EmbeddingBag.fromPretrained(type === 'float32' ? table : quantize(table, type), { mode })
  }
  const out = zeros([BAGS, DIM])
  const results = out.data as Float32Array
  const layers = JOBS.map((job) => ({ job, layer: bagOf(job) }))
  for (const spread of ['uniform', 'zipf'] as const) {
    const ids = drawIds(BAGS * LENGTH, ROWS, spread)
    const bags = tensor(ids).reshape(BAGS, LENGTH)
    const players: Player[] = []
    const runs = layers.map(({ job, layer }) => ({
      job,
      run: () => layer.forward(bags, undefined, { out, dtype: 'float32' }),
    }))
    for (const threads of THREADS) {
      for (const { job, run } of runs)
        players.push(local(`tokenbed: ${job}, ${threads}T`, run, () => setNumThreads(threads)))
    }
    const same = new Map<string, string>()
    const files = exchange()
    try {
      if (torch) {
        await torch.ask({
          do: 'bags',
          rows: ROWS,
          dim: DIM,
          batch: BAGS,
          length: LENGTH,
          seed: how.seed,
          ids: files.write('ids', ids),
        })
        for (const { job, run } of runs) {
          run()
          await torch.ask({ do: 'save', job, path: files.path('result') })
          const { largest, words } = difference(results, readFloats(files.path('result')))
          if (largest > TOLERANCES[job]) throw new Error(`PyTorch's bags of ${job} are not tokenbed's: ${words}`)
          for (const threads of THREADS) {
            players.push({ name: `PyTorch: ${job}, ${threads}T`, turn: (ms) => torch.turn(job, threads, ms) })
            same.set(`PyTorch: ${job}, ${threads}T`, words)
          }
        }
      }
      const measured = await rounds(players, how.rounds, how.milliseconds)
      report.section(`${BAGS} bags of ${LENGTH} x ${DIM}, ${spread}`)
      report.table(['', 'a call', 'tokenbed is as fast as it', 'page faults', 'results'], rowsOf(measured, same))
      if (spread === 'uniform') collect(measured, targets)
    } finally {
      files.remove()
      bags.dispose()
    }
  }
  if (torch) await torch.ask({ do: 'clear' })
  for (const { layer } of layers) layer.weight.dispose()
  for (const one of [table, out]) one.dispose()
}

function rowsOf(measured: Map<string, Turn>, same: Map<string, string>): string[][] {
  return [...measured].map(([name, { us, faults }]) => {
    const ours = measured.get(name.replace('PyTorch', 'tokenbed'))!.us
    return [name, time(us), name.startsWith('PyTorch') ? times(us / ours) : '', faults.toFixed(1), same.get(name) ?? '']
  })
}

function collect(measured: Map<string, Turn>, targets: Targets): void {
  const us = (name: string) => measured.get(name)?.us ?? NaN
  const float32 = us('tokenbed: sum float32, 1T')
  targets.measured('int8', float32 / us('tokenbed: sum int8, 1T'))
  targets.measured('int4', float32 / us('tokenbed: sum int4, 1T'))
  targets.measured('torchBag', us('PyTorch: sum float32, 1T') / float32)
}
