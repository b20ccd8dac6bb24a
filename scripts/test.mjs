// Runs every check and every test: node scripts/test.mjs [step ...]
//
// Each step runs even if others failed. The last line counts what passed and failed in all of them.
import { fork, spawn } from 'node:child_process'
import { linkSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { check } from './check.mjs'
import { exhaust } from './exhaustion.mjs'
import { checkPackage } from './package.mjs'
import { faults, isPossible } from './faults.mjs'
import { stageRoot } from './release/stage.mjs'
import { Failure, root, runIfMain, stream, tool } from './process.mjs'

const steps = {
  build: buildAll,
  rules: check,
  'cargo test': cargoTest,
  'memory refused': () => exhaust(),
  faults: aMinuteOfFaults,
  package: checkPackage,
  ava,
}

/**
 * What runs after what. Steps of two rows in one stage run at once: each keeps little more than one core busy. Tests
 * that look at times and at memory have the machine for themselves.
 */
const STAGES = [
  [['build']],
  [
    ['rules', 'package'],
    ['cargo test', 'memory refused', 'faults'],
  ],
  [['ava']],
]

/**
 * Builds everything. Only a failed build counts. Rust's tests are built meanwhile, as the last part of a release build
 * keeps one core busy alone; cargo itself waits for their end later, and says what went wrong in them.
 */
function buildAll() {
  spawn('cargo', ['test', '--workspace', '--no-run', '--quiet'], { cwd: root, stdio: 'ignore' }).on('error', () => {})
  build()
  return { passed: 0, failed: 0 }
}

async function cargoTest() {
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
  const passed = output.match(/^ *[✔√] /gm)?.length ?? 0
  return { ...atLeastOneFailed(ok, { passed, failed: names.length, names }), details: detailsOf(output) }
}

/** What ava says of its failures, after a line of its own below the list of tests; the first hundred lines of it. */
function detailsOf(output) {
  const [, said = ''] = output.split(/^ *─$/m, 2)
  return said.trim().split('\n').slice(0, 100).join('\n')
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

/** The result of a step in a process of its own, whose output is shown when it ends. */
function aside(name) {
  return new Promise((resolve) => {
    const child = fork(import.meta.filename, ['--report', name], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    let [output, result] = ['', { passed: 0, failed: 1 }]
    const keep = (chunk) => (output += chunk)
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('message', (message) => (result = message))
    child.on('close', () => {
      console.log(`\n== ${name}\n${output}`)
      resolve(result)
    })
  })
}

async function timed(name, run) {
  const start = performance.now()
  const result = await run()
  return { name, ...result, seconds: Math.round((performance.now() - start) / 1e3) }
}

/** The results of the rows of a stage. A stage of one step runs in this process, and shows its output as it comes. */
async function stageResults(rows) {
  if (rows.flat().length === 1) {
    const [[name]] = rows
    console.log(`\n== ${name}`)
    return [await timed(name, () => resultOf(steps[name]))]
  }
  console.log(`\n== ${rows.map((row) => row.join(', then ')).join('; at once with ')}`)
  const results = await Promise.all(
    rows.map(async (row) => {
      const done = []
      for (const name of row) done.push(await timed(name, () => aside(name)))
      return done
    }),
  )
  return results.flat()
}

async function main() {
  const [first, only] = process.argv.slice(2)
  if (first === '--report') return process.send(await resultOf(steps[only]), () => process.disconnect())
  const results = []
  for (const rows of stagesOf(process.argv.slice(2))) results.push(...(await stageResults(rows)))
  const total = { passed: 0, failed: 0 }
  const [summary, failures] = [[], []]
  for (const { name, passed, failed, names = [], details = '', seconds } of results) {
    total.passed += passed
    total.failed += failed
    summary.push(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed, in ${seconds} s`)
    // Failures are listed again at the end, below the output of all steps.
    summary.push(...names.map((failing) => `       ${failing}`))
    if (failed > 0 && details !== '') failures.push(details)
  }
  if (failures.length > 0) console.log(`\n${failures.join('\n')}`)
  console.log(`\n${summary.join('\n')}\n`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  if (total.failed > 0 || total.passed === 0) process.exitCode = 1
}

/** The stages of the steps that are named, or all. */
function stagesOf(names) {
  const unknown = names.find((name) => !Object.hasOwn(steps, name))
  if (unknown !== undefined)
    throw new Failure(`there is no step ${JSON.stringify(unknown)}; the steps are: ${Object.keys(steps).join(', ')}`)
  const isWanted = (name) => names.length === 0 || names.includes(name)
  return STAGES.map((rows) => rows.map((row) => row.filter(isWanted)).filter((row) => row.length > 0)).filter(
    (rows) => rows.length > 0,
  )
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
