// PyTorch, where a Python that has it is at hand: TOKENBED_PYTHON names it; python3 otherwise.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from '../report.js'
import type { Found } from './peer.js'

/** What a script of this folder prints as JSON. */
export function runTorch<T>(script: string, ...args: unknown[]): Found<T> {
  const python = process.env.TOKENBED_PYTHON ?? 'python3'
  try {
    const command = [join(ROOT, 'bench', 'peers', script), ...args.map(String)]
    return { name: 'PyTorch', peer: JSON.parse(execFileSync(python, command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) }
  } catch {
    return { name: 'PyTorch', why: `${process.env.TOKENBED_PYTHON ? 'TOKENBED_PYTHON' : 'python3'} does not have it; TOKENBED_PYTHON names a Python that does` }
  }
}
