// Runs a Python script beside this file that prints JSON.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../report.js'
import type { Found } from './peer.js'

const run = promisify(execFile)

/** The output of a script, or why there is none. */
export async function runPython<T>(name: string, script: string, ...args: (string | number)[]): Promise<Found<T>> {
  const python = process.env.TOKENBED_PYTHON ?? 'python3'
  try {
    const { stdout } = await run(python, [join(ROOT, 'bench', 'peers', script), ...args.map(String)], {
      encoding: 'utf8',
      maxBuffer: 2 ** 24,
    })
    return { name, peer: JSON.parse(stdout.trim().split('\n').at(-1)!) as T }
  } catch (error) {
    const last = String((error as { stderr?: string }).stderr ?? error)
      .trim()
      .split('\n')
      .at(-1)
    return { name, why: `${process.env.TOKENBED_PYTHON ? 'TOKENBED_PYTHON' : 'python3'} cannot run it (${last})` }
  }
}
