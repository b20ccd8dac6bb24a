// Drawing a table, against PyTorch where a Python with PyTorch is at hand.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Embedding, Generator } from '../index.js'
import { interleave } from './measure.js'

export const ROWS = 50257
export const DIM = 768

export interface Drawing {
  /** Milliseconds to make an Embedding(50257, 768), its memory included. */
  table: number
  /** PyTorch's milliseconds: normal_ into memory that is there, and nn.Embedding as a whole; absent without PyTorch. */
  torch?: { version: string; threads: number; normal: number; embedding: number }
}

export function measureDrawing(): Drawing {
  const generator = new Generator(1)
  const run = () => new Embedding(ROWS, DIM, { generator }).weight.dispose()
  const [{ median }] = interleave([{ name: 'draw', run }], 9, 1)
  return { table: median / 1e3, torch: measureTorch() }
}

/** TOKENBED_PYTHON names the Python; python3 otherwise. */
function measureTorch(): Drawing['torch'] {
  try {
    const script = join(__dirname, '..', '..', 'bench', 'torch_draw.py')
    const python = process.env.TOKENBED_PYTHON ?? 'python3'
    return JSON.parse(execFileSync(python, [script, String(ROWS), String(DIM)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return undefined
  }
}
