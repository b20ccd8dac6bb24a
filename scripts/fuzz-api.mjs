// Runs the API fuzzer: node scripts/fuzz-api.mjs [--seconds 3600] [--seed N] [--from STEP] [--steps M]
//
// Without a seed it does run after run, each with a new seed, until the time is up or one fails. With a seed it does
// that one run, which repeats a failure. `--each` calls every function with every hostile value at every place.
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { Failure, runIfMain } from './process.mjs'

const { fuzz, shortened } = loader()

function loader() {
  const require = createRequire(import.meta.url)
  // These are loaded after the build.
  const later =
    (name) =>
    (...args) =>
      require('../dist/__test__/support/fuzz.js')[name](...args)
  return { fuzz: later('fuzz'), shortened: later('shortened') }
}

const OPTIONS = {
  seconds: { type: 'string', default: '3600' },
  seed: { type: 'string' },
  from: { type: 'string', default: '0' },
  steps: { type: 'string' },
  each: { type: 'boolean', default: false },
}
/** Length of a run of one seed. A later step sees no more than an earlier one. */
const [RUN_SECONDS, PARTS] = [60, 16]

async function main() {
  const { values } = parseArgs({ options: OPTIONS })
  build()
  if (values.each) await each()
  else if (values.seed !== undefined)
    await one(Number(values.seed), Number(values.from), Number(values.steps ?? 1e9), Number(values.seconds))
  else await many(Number(values.seconds))
}

async function each() {
  for (let part = 0; part < PARTS; part++) report(await fuzz('each', part, PARTS), `part ${part} of ${PARTS}`)
}

async function one(seed, from, steps, seconds) {
  report(await fuzz('random', seed, from, from + steps, seconds), `seed ${seed}`)
}

async function many(seconds) {
  const end = Date.now() + seconds * 1e3
  let seed = Math.floor(Math.random() * 2 ** 31)
  const lane = async () => {
    while (Date.now() < end) {
      const mine = seed++
      const outcome = await fuzz('random', mine, 0, 1e9, Math.min(RUN_SECONDS, (end - Date.now()) / 1e3))
      if (!outcome.ok) throw new Failure(`${outcome.report}\nagain: ${await shortened(mine, outcome.step)}`)
      report(outcome, `seed ${mine}`)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism() - 1) }, lane))
}

function report(outcome, what) {
  if (!outcome.ok) throw new Failure(outcome.report)
  console.log(`${what}: ${outcome.count} calls, all well`)
}

await runIfMain(import.meta, main)
