// Python with the safetensors package, where there is one: TOKENBED_PYTHON, or else python3.

import { spawnSync } from 'node:child_process'

const candidate = process.env.TOKENBED_PYTHON ?? 'python3'

/** Its path, or null. */
export const python = spawnSync(candidate, ['-c', 'import numpy, safetensors']).status === 0 ? candidate : null

/** Runs a script with arguments, and returns what it prints as JSON. */
export function runPython(script: string, ...args: string[]): any {
  const { status, stdout, stderr } = spawnSync(python!, ['-c', script, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}
