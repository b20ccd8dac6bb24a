// Drawing a table, against PyTorch if there is a Python that has it.

import { Embedding, Generator } from '../../index.js'
import { interleave } from '../measure.js'
import { runTorch } from '../peers/torch.js'
import { times, type Report } from '../report.js'

const ROWS = 50257
const DIM = 768

/** Milliseconds of normal_ into existing memory, and of nn.Embedding as a whole. */
interface Torch {
  version: string
  threads: number
  normal: number
  embedding: number
}

export function draw(report: Report): void {
  const generator = new Generator(1)
  const run = () => new Embedding(ROWS, DIM, { generator }).weight.dispose()
  const [{ median }] = interleave([{ name: 'draw', run }], 9, 1)
  const table = median / 1e3
  report.paragraph(`Embedding(${ROWS}, ${DIM}), its memory included: ${table.toFixed(1)} ms, median of 9.`)
  const found = runTorch<Torch>('torch_draw.py', ROWS, DIM)
  if (!('peer' in found)) return report.missing(found.name, found.why)
  const { version, threads, normal, embedding } = found.peer
  const against = (what: string, ms: number) => `${what}: ${ms.toFixed(1)} ms, ${times(ms / table)}`
  report.paragraph(
    `PyTorch ${version}, ${threads} threads: ${against('normal_ into existing memory', normal)}; ` +
      `${against('nn.Embedding, its memory included', embedding)}.`,
  )
}
