// Jobs of half a minute in a queue, against the bare embedder in a process of its own. It needs 10 GB of disk and a
// redis-server.

import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from '../measure.js'
import { isInstalled, redis } from '../programs.js'
import type { Report } from '../report.js'
import { corpus } from './pipelines.js'
import { folders } from './text.js'
import { bare, queued } from './workers.js'

const ROUNDS = 2
/** Jobs, and how often a job has the corpus of the streams. */
const JOBS = 2
const TIMES = 25

export async function jobs(report: Report): Promise<void> {
  const at = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  try {
    const [folder] = folders(at)
    if (folder === undefined) return report.missing('jobs', 'there is no model; see the suite `pipelines`')
    if (!isInstalled('redis-server')) return report.missing('jobs', 'redis-server is not installed')
    const lines = join(at, 'large.txt')
    const once = `${corpus().join('\n')}\n`
    for (let i = 0; i < JOBS * TIMES; i++) appendFileSync(lines, once)
    await measure(report, at, lines, folder)
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

async function measure(report: Report, at: string, lines: string, folder: string): Promise<void> {
  const server = await redis(at)
  const all = availableParallelism()
  const [own, others]: [number[], number[]] = [[], []]
  const timed = async (seconds: number[], out: string, work: Promise<unknown>) => {
    const begun = performance.now()
    await work
    seconds.push((performance.now() - begun) / 1e3)
    for (const path of [out, `${out}.safetensors`]) rmSync(path, { recursive: true, force: true })
  }
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = ['bare', 'queue'].map((name) => join(at, `${name}-${round}`))
    await timed(others, first, bare(all, lines, folder, first))
    await timed(own, second, queued({ lines, folder, url: server.url, out: second, parts: JOBS }))
  }
  server.child.kill('SIGKILL')
  const size = statSync(lines).size / 1e6
  report.paragraph(
    `${size.toFixed(0)} MB of lines in ${JOBS} jobs for one worker of ${all} threads; the adding of the jobs, the start of each process and its ` +
      `reading of the model are counted. Medians of ${ROUNDS} rounds in turn.`,
  )
  report.table(
    ['', 'seconds', 'MB of text/s', 'of the bare embedder'],
    [
      ['the bare embedder', others],
      [`a queue, jobs of ${(median(own) / JOBS).toFixed(0)} seconds`, own],
    ].map(([name, seconds]) => {
      const took = median(seconds as number[])
      const share = `${((100 * median(others)) / took).toFixed(0)} %`
      return [String(name), took.toFixed(1), (size / took).toFixed(1), seconds === own ? share : '']
    }),
  )
}
