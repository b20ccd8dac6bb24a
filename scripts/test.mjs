// Runs every check and every test: node scripts/test.mjs
//
// Each step runs even if others failed. The last line counts what passed and failed in all of them.
import { spawn } from 'node:child_process'
import { linkSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { check } from './check.mjs'
import { exhaust } from './exhaustion.mjs'
import { checkPackage } from './package.mjs'
import { faults, isPossible } from './faults.mjs'
import { stageRoot } from './release/stage.mjs'
import { Failure, root, runIfMain, stream, tool } from './process.mjs'

const steps = [
  { name: 'build', run: buildAll },
  { name: 'rules', run: check },
  { name: 'cargo test', run: cargoTest },
  { name: 'ava', run: ava },
  { name: 'memory refused', run: () => exhaust() },
  { name: 'faults', run: aMinuteOfFaults },
  { name: 'package', run: checkPackage },
]

/** Rust's tests are built meanwhile, as the last part of a release build keeps one core busy alone. */
let testsBuilt

/** Builds everything. Only a failed build counts. */
function buildAll() {
  testsBuilt = new Promise((resolve) =>
    spawn('cargo', ['test', '--workspace', '--no-run', '--quiet'], { cwd: root, stdio: 'ignore' })
      .on('error', resolve)
      .on('close', resolve),
  )
  build()
  return { passed: 0, failed: 0 }
}

async function cargoTest() {
  // What went wrong in it is said by the next line, which builds again.
  await testsBuilt
  const { ok, output } = await stream(['cargo', 'test', '--workspace', '--no-fail-fast'])
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)]
  const sum = (group) => results.reduce((total, match) => total + Number(match[group]), 0)
  const names = [...output.matchAll(/^test (.+) \.\.\. FAILED$/gm)].map((match) => match[1])
  return atLeastOneFailed(ok, { passed: sum(1), failed: sum(2), names })
}

/**
 * Counts ava's marks. Besides failing tests these are files that crash, hang or have no test. Specs start the command
 * hundreds of times, and run that of the package, which is ready in half the time.
 */
async function ava() {
  process.env.TOKENBED_PROGRAM = packagedCommand()
  const { ok, output } = await stream(tool('ava', 'ava'))
  const names = [...output.matchAll(/^ *[✘×] (.+)$/gm)].map((match) => match[1])
  return atLeastOneFailed(ok, { passed: output.match(/^ *[✔√] /gm)?.length ?? 0, failed: names.length, names })
}

/** Lays out the package as it is published, with the binary of this clone, and returns the path of its command. */
function packagedCommand() {
  const folder = join(root, 'target/packaged')
  rmSync(folder, { recursive: true, force: true })
  const staged = stageRoot(folder)
  for (const name of readdirSync(root).filter((name) => name.endsWith('.node')))
    linkSync(join(root, name), join(staged, name))
  return join(staged, 'dist/cli/tokenbed.js')
}

/** Runs where faults can be injected; each case that holds counts. */
function aMinuteOfFaults() {
  return isPossible ? faults(['--short']) : { passed: 0, failed: 0 }
}

/** A step that failed without naming a test, such as a compile error, counts as one failure. */
function atLeastOneFailed(ok, { passed, failed, names }) {
  return { passed, failed: ok ? failed : Math.max(failed, 1), names }
}

async function main() {
  const total = { passed: 0, failed: 0 }
  const summary = []
  for (const { name, run } of steps) {
    console.log(`\n== ${name}`)
    const start = performance.now()
    const { passed, failed, names = [] } = await resultOf(run)
    const seconds = Math.round((performance.now() - start) / 1e3)
    total.passed += passed
    total.failed += failed
    summary.push(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed, in ${seconds} s`)
    // Failures are listed again at the end, below the output of all steps.
    summary.push(...names.map((failing) => `       ${failing}`))
  }
  console.log(`\n${summary.join('\n')}\n`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  if (total.failed > 0 || total.passed === 0) process.exitCode = 1
}

async function resultOf(run) {
  try {
    return await run()
  } catch (error) {
    console.log(error instanceof Failure ? error.message : error.stack)
    return { passed: 0, failed: 1 }
  }
}

await runIfMain(import.meta, main)
