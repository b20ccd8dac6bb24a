// The benchmark: npm run bench. Prints ratios within this run and writes a dated record into bench/records/.

import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { capabilities } from '../index.js'
import { DIM, measureDrawing, ROWS, type Drawing } from './draw.js'
import { CASES, measureLookup, NAMES, type Case } from './lookup.js'
import type { Result } from './measure.js'

const MACHINE = cpus()[0].model.trim()

/** The machine and the versions, as one paragraph. */
function conditions(): string {
  const { isa, version, threads } = capabilities()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return (
    `${MACHINE}, ${cpus().length} cores, ${memory} GiB; ${platform()} ${release()} ${arch()}; Node ${process.versions.node}; ` +
    `tokenbed ${version}, kernels ${isa}, lookups on 1 thread, draws on ${threads}. Medians of 15 interleaved rounds.`
  )
}

const time = (us: number) => (us >= 1e3 ? `${(us / 1e3).toFixed(2)} ms` : `${us.toFixed(2)} us`)
const times = (ratio: number) => `${ratio.toFixed(2)}x`

/** The table of a case: time, how many times as fast as memcpy and as plain JavaScript, page faults. */
function lookupTable({ name }: Case, results: readonly Result[]): string[] {
  const of = (name: string) => results.find((result) => result.name === name)!.median
  const rows = results.map(({ name, median, faults }) => {
    const peer = name.startsWith('TokenPosition') ? NAMES.jsFused : NAMES.jsGather
    const againstJs = name.startsWith('plain') || name === NAMES.memcpy ? '' : times(of(peer) / median)
    return `| ${name} | ${time(median)} | ${times(of(NAMES.memcpy) / median)} | ${againstJs} | ${faults.toFixed(1)} |`
  })
  return [
    `## ${name}`,
    '',
    '| | a call | against memcpy | against plain JavaScript | page faults |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ]
}

function drawingLines({ table, torch }: Drawing): string[] {
  const own = `Embedding(${ROWS}, ${DIM}), its memory included: ${table.toFixed(1)} ms.`
  const against = (what: string, ms: number) => `${what}: ${ms.toFixed(1)} ms, ${times(ms / table)}`
  const peer = torch
    ? `PyTorch ${torch.version}, ${torch.threads} threads: ${against('normal_ into memory that is there', torch.normal)}; ` +
      `${against('nn.Embedding, its memory included', torch.embedding)}.`
    : 'No PyTorch at hand to compare (TOKENBED_PYTHON names a Python that has it).'
  return ['## Drawing a table', '', `${own} ${peer}`, '']
}

function main(): void {
  const date = new Date().toISOString().slice(0, 10)
  const lines = [`# ${date}: ${MACHINE}`, '', conditions(), '']
  console.log(lines.join('\n'))
  const add = (more: string[]) => {
    console.log(more.join('\n'))
    lines.push(...more)
  }
  for (const one of CASES) add(lookupTable(one, measureLookup(one)))
  add(drawingLines(measureDrawing()))
  const folder = join(__dirname, '..', '..', 'bench', 'records')
  mkdirSync(folder, { recursive: true })
  const file = `${date}-${MACHINE.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-${cpus().length}-cores.md`
  writeFileSync(join(folder, file), `${lines.join('\n').trimEnd()}\n`)
  console.log(`Recorded in bench/records/${file}`)
}

main()
