// Runs Python with the safetensors package, if it is installed: TOKENBED_PYTHON, or else python3.

import { spawnSync } from 'node:child_process'

const candidate = process.env.TOKENBED_PYTHON ?? 'python3'

/** The path of Python, or null. */
export const python = spawnSync(candidate, ['-c', 'import numpy, safetensors']).status === 0 ? candidate : null

/** Runs a script with arguments, and returns the JSON that it prints. */
export function runPython(script: string, ...args: string[]): any {
  const { status, stdout, stderr } = spawnSync(python!, ['-c', script, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}
