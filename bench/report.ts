// The report of a suite: shown while it is measured, and kept as a record for that date, machine and suite.

import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { capabilities } from '../index.js'

export const ROOT = join(__dirname, '..', '..')
const RECORDS = join(ROOT, 'bench', 'records')
/** The name of the processor, without what is in every such name. */
const MACHINE =
  (cpus()[0]?.model ?? '')
    .replace(/\((?:r|tm)\)|\b(?:cpu|processor)\b/gi, ' ')
    .replace(/\s+/g, ' ')
    .trim() || 'unknown processor'

/** A paragraph that describes the machine and the versions. */
function conditions(): string {
  const { isa, version, threads } = capabilities()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return (
    `${MACHINE}, ${cpus().length} cores, ${memory} GiB; ${platform()} ${release()} ${arch()}; Node ${process.versions.node}; ` +
    `tokenbed ${version}, kernels ${isa}, at most ${threads} threads.`
  )
}

export class Report {
  readonly #lines: string[] = []
  readonly #date = new Date().toISOString().slice(0, 10)
  readonly #missing: string[] = []

  constructor(
    readonly suite: string,
    title: string,
  ) {
    this.text(`# ${title}`, '', `${this.#date}. ${conditions()}`, '', `\`npm run bench -- ${suite}\``, '')
  }

  /** Adds lines of Markdown. */
  text(...lines: string[]): void {
    console.log(lines.join('\n'))
    this.#lines.push(...lines)
  }

  section(title: string): void {
    this.text(`## ${title}`, '')
  }

  paragraph(text: string): void {
    this.text(text, '')
  }

  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
    this.text(line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line), '')
  }

  /** Notes a peer that the comparison lacks, and why. */
  missing(name: string, why: string): void {
    this.#missing.push(name)
    this.paragraph(`Not compared with ${name}: ${why}.`)
  }

  /**
   * Writes the record: one file for each date, machine and suite, so that suites never overwrite one another. A run
   * that lacked peers has a file of its own, so that it does not replace one that had them.
   */
  save(): void {
    const machine = `${MACHINE.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-${cpus().length}-cores`
    const file = `${this.#date}-${machine}-${this.suite}${this.#missing.length > 0 ? '-without-peers' : ''}.md`
    mkdirSync(RECORDS, { recursive: true })
    writeFileSync(join(RECORDS, file), `${this.#lines.join('\n').trimEnd()}\n`)
    console.log(`Recorded in bench/records/${file}\n`)
  }
}

export const time = (us: number) => (us >= 1e3 ? `${(us / 1e3).toFixed(2)} ms` : `${us.toFixed(2)} us`)
export const times = (ratio: number) => `${ratio.toFixed(2)}x`
