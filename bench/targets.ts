// The targets of lookups, as ratios within one run: a required value, and one worth reaching.

import { times, type Report } from './report.js'

interface Target {
  what: string
  /** The measurement is good if it is at least this, or, if `below`, at most this. */
  must: number
  reach: number
  below?: boolean
  unit?: string
}

const TARGETS = {
  gather1: { what: 'gather, 1 thread, against memcpy', must: 0.9, reach: 1.15 },
  fused1: { what: 'gather + position, 1 thread, against memcpy', must: 0.9, reach: 1.15 },
  gather2: { what: 'gather, 2 threads, against memcpy on 1', must: 1.3, reach: 2 },
  fused2: { what: 'gather + position, 2 threads, against memcpy on 1', must: 1.2, reach: 2 },
  fusedTime: { what: 'time of gather + position, of gather, 1 thread', must: 1.08, reach: 1, below: true },
  normTime: { what: 'time of gather + position + LayerNorm, of gather, 1 thread', must: 2.1, reach: 1.3, below: true },
  zipf: { what: 'gather, zipf, 2 threads against 1', must: 1.25, reach: 1.7 },
  int8: { what: 'bag sum of int8 against float32, 1 thread', must: 2.1, reach: 3.2 },
  int4: { what: 'bag sum of int4 against float32, 1 thread', must: 4.5, reach: 6.5 },
  jsGather: { what: 'gather, 1 thread, against plain JavaScript', must: 2, reach: 3 },
  jsFused: { what: 'gather + position, 1 thread, against plain JavaScript', must: 9, reach: 14 },
  jsSmall: { what: '(8, 4) x 256 gather + position against plain JavaScript', must: 5, reach: 10 },
  torchGather: { what: 'gather against PyTorch as users call it, 1 thread', must: 8, reach: 13 },
  torchFused: { what: 'gather + position against PyTorch as users call it, 1 thread', must: 14, reach: 22 },
  torchNorm: { what: '... + LayerNorm against PyTorch as users call it, 1 thread', must: 14, reach: 25 },
  torchGatherReused: { what: 'gather against PyTorch, its buffers reused, 1 thread', must: 1.4, reach: 1.9 },
  torchFusedReused: { what: 'gather + position against PyTorch, its buffers reused, 1 thread', must: 2.3, reach: 3 },
  torchBag: { what: 'bag sum of float32 against PyTorch, 1 thread', must: 1.3, reach: 2.2 },
  small: {
    what: '(8, 4) x 256 gather + position, one call into a reused buffer',
    must: 1.2,
    reach: 0.6,
    below: true,
    unit: ' us',
  },
} satisfies Record<string, Target>

export type TargetName = keyof typeof TARGETS

/** The measured ratios, from all suites of one run. */
export class Targets {
  readonly #measured = new Map<TargetName, number>()

  /** Records a ratio. A measurement that could not be made is left out. */
  measured(name: TargetName, value: number | undefined): void {
    if (value !== undefined && Number.isFinite(value)) this.#measured.set(name, value)
  }

  report(report: Report): void {
    report.section('Targets')
    const shown = (value: number, { unit }: Target) => (unit ? `${value.toFixed(2)}${unit}` : times(value))
    const rows = Object.entries(TARGETS).map(([name, target]: [string, Target]) => {
      const limits = [target.must, target.reach].map(
        (limit) => `${target.below ? 'at most ' : ''}${shown(limit, target)}`,
      )
      const value = this.#measured.get(name as TargetName)
      return [target.what, ...limits, value === undefined ? '' : shown(value, target), verdict(value, target)]
    })
    report.table(['', 'required', 'worth reaching', 'measured', ''], rows)
  }
}

function verdict(value: number | undefined, { must, reach, below = false }: Target): string {
  if (value === undefined) return 'not measured'
  const met = (limit: number) => (below ? value <= limit : value >= limit)
  return met(reach) ? 'reached' : met(must) ? 'met' : 'missed'
}
