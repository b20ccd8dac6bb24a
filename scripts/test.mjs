// Every check and every test: node scripts/test.mjs
//
// Each step runs whatever became of the others. The last line counts what passed and failed over all of them.
import { build } from './build.mjs'
import { check } from './check.mjs'
import { exhaust } from './exhaustion.mjs'
import { checkPackage } from './package.mjs'
import { faults, isPossible } from './faults.mjs'
import { Failure, runIfMain, stream, tool } from './process.mjs'

const steps = [
  { name: 'build', run: buildAll },
  { name: 'rules', run: check },
  { name: 'cargo test', run: cargoTest },
  { name: 'ava', run: ava },
  { name: 'memory refused', run: () => exhaust() },
  { name: 'faults', run: aMinuteOfFaults },
  { name: 'package', run: checkPackage },
]

/** Says nothing about success: only a failed build counts. */
function buildAll() {
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

/** Counted by ava's marks: besides tests that fail, those are files that crash, hang or hold no test. */
async function ava() {
  const { ok, output } = await stream(tool('ava', 'ava'))
  const names = [...output.matchAll(/^ *[✘×] (.+)$/gm)].map((match) => match[1])
  return atLeastOneFailed(ok, { passed: output.match(/^ *[✔√] /gm)?.length ?? 0, failed: names.length, names })
}

/** Where they can be made; each that holds counts. */
function aMinuteOfFaults() {
  return isPossible ? faults(['--short']) : { passed: 0, failed: 0 }
}

/** A step that failed without naming a test, as when something does not compile, counts as one. */
function atLeastOneFailed(ok, { passed, failed, names }) {
  return { passed, failed: ok ? failed : Math.max(failed, 1), names }
}

async function main() {
  const total = { passed: 0, failed: 0 }
  const summary = []
  for (const { name, run } of steps) {
    console.log(`\n== ${name}`)
    const { passed, failed, names = [] } = await resultOf(run)
    total.passed += passed
    total.failed += failed
    summary.push(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed`)
    // Said again where they are found, below all that the steps print.
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
