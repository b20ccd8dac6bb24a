// Builds what is stale, then runs a program of dist/: node scripts/run.mjs examples/demo.js [arguments]
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { Failure, root, runIfMain } from './process.mjs'

export function runProgram([file, ...args]) {
  if (file === undefined) {
    console.error('usage: node scripts/run.mjs <file in dist/> [arguments]')
    process.exitCode = 2
    return
  }
  build()
  const program = join(root, 'dist', file)
  if (!existsSync(program)) throw new Failure(`${file} is not in dist/: is there a ${file.replace(/\.js$/, '.ts')}?`)
  const { status } = spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}

await runIfMain(import.meta, () => runProgram(process.argv.slice(2)))
