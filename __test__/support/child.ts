// Scenarios in a process of their own: where memory is measured, and where a crash would be one.

import { execFile } from 'node:child_process'
import { join } from 'node:path'

interface Ended {
  code: number | string | null
  stdout: string
  stderr: string
}

/** Runs a script of dist/__test__ with --expose-gc, to its end. */
export function runScript(script: string, args: string[] = [], env: Record<string, string> = {}): Promise<Ended> {
  const path = join(__dirname, '..', script)
  const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 24 }
  return new Promise((resolve) => {
    execFile(process.execPath, ['--expose-gc', path, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr })
    })
  })
}

/** Runs one scenario of a script, which ends well and prints JSON. */
export async function scenario<T = Record<string, number>>(
  script: string,
  name: string,
  env?: Record<string, string>,
): Promise<T> {
  const { code, stdout, stderr } = await runScript(script, [name], env)
  if (code !== 0) throw new Error(`${script} ${name} ended with ${code}:\n${stderr}`)
  return JSON.parse(stdout)
}

/** For such a script: runs the scenario that the command names, and prints what it returns. */
export async function main(scenarios: Record<string, () => unknown>): Promise<void> {
  const result = await scenarios[process.argv[2]]()
  process.stdout.write(JSON.stringify(result))
}
