// PyTorch, in the Python that TOKENBED_PYTHON names, or else python3, if that has it.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from '../report.js'
import type { Found } from './peer.js'

/** The JSON that a script of this folder prints. */
export function runTorch<T>(script: string, ...args: unknown[]): Found<T> {
  const python = process.env.TOKENBED_PYTHON ?? 'python3'
  try {
    const command = [join(ROOT, 'bench', 'peers', script), ...args.map(String)]
    return {
      name: 'PyTorch',
      peer: JSON.parse(execFileSync(python, command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })),
    }
  } catch {
    return {
      name: 'PyTorch',
      why: `${process.env.TOKENBED_PYTHON ? 'TOKENBED_PYTHON' : 'python3'} does not have it; set TOKENBED_PYTHON to a Python that does`,
    }
  }
}
