// Runs scenarios in a process of their own, where memory can be measured and a crash does not end the tests.

import { execFile } from 'node:child_process'
import { join } from 'node:path'

interface Ended {
  code: number | string | null
  stdout: string
  stderr: string
}

/** Runs a script of dist/__test__ with --expose-gc until it ends. */
export function runScript(script: string, args: string[] = [], env: Record<string, string> = {}): Promise<Ended> {
  const path = join(__dirname, '..', script)
  const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 24 }
  return new Promise((resolve) => {
    execFile(process.execPath, ['--expose-gc', path, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr })
    })
  })
}

/** Runs one scenario of a script, which must succeed and print JSON. */
export async function scenario<T = Record<string, number>>(
  script: string,
  name: string,
  env?: Record<string, string>,
): Promise<T> {
  const { code, stdout, stderr } = await runScript(script, [name], env)
  if (code !== 0) throw new Error(`${script} ${name} ended with ${code}:\n${stderr}`)
  return JSON.parse(stdout)
}

/** The main function of such a script: runs the scenario that the command line names, and prints its result. */
export async function main(scenarios: Record<string, () => unknown>): Promise<void> {
  const result = await scenarios[process.argv[2]]()
  process.stdout.write(JSON.stringify(result))
}
