// The benchmarks: npm run bench [-- suite ...]. Each suite prints ratios within its run and writes a record of its own.

import { Report } from './report.js'
import { async } from './suites/async.js'
import { backwardSuite } from './suites/backward.js'
import { compare } from './suites/compare.js'
import { draw } from './suites/draw.js'
import { firstUse, threads } from './suites/first-use.js'
import { jobs } from './suites/jobs.js'
import { lookup } from './suites/lookup.js'
import { neighbours } from './suites/neighbours.js'
import { open } from './suites/open.js'
import { ops } from './suites/ops.js'
import { optim } from './suites/optim.js'
import { path } from './suites/path.js'
import { pipelines } from './suites/pipelines.js'
import { positions } from './suites/positions.js'
import { text } from './suites/text.js'
import { search } from './suites/search.js'
import { tokenizer } from './suites/tokenizer.js'
import { tokenizerFiles } from './suites/tokenizer-files.js'
import { train } from './suites/train.js'

/**
 * For each suite, a title and the function that measures it. A new suite is a file in suites/ and a line here. A large
 * one, which needs gigabytes of disk, runs only when it is named.
 */
const SUITES: Record<string, { title: string; run: (report: Report) => void | Promise<void>; isLarge?: true }> = {
  lookup: { title: 'Ids to vectors', run: lookup },
  async: { title: 'Ids to vectors on another thread', run: async },
  compare: { title: 'Ids to vectors, against other packages and the targets', run: compare },
  positions: { title: 'Positional schemes and input layers', run: positions },
  optim: { title: 'Steps of optimizers', run: optim },
  backward: { title: 'Gradients of tables', run: backwardSuite },
  ops: { title: 'Ops of tensors, forward and backward', run: ops },
  neighbours: { title: 'The nearest rows of a table', run: neighbours },
  search: { title: 'The nearest rows of a large table', run: search },
  draw: { title: 'Drawing a table', run: draw },
  tokenizer: { title: 'Text to ids', run: tokenizer },
  'tokenizer-files': { title: 'Text to ids by tokenizer.json files', run: tokenizerFiles },
  'first-use': { title: 'The first use of an encoding', run: firstUse },
  threads: { title: 'Batches of text over threads', run: threads },
  train: { title: 'Training', run: train },
  path: { title: 'Text to vectors, the whole path', run: path },
  text: { title: 'Texts to vectors', run: text },
  pipelines: { title: 'Streams and shards of vectors', run: pipelines },
  jobs: { title: 'Jobs of half a minute in a queue', run: jobs, isLarge: true },
  open: { title: 'Opening the models that people have', run: open },
}

async function main(asked: string[]): Promise<void> {
  const unknown = asked.filter((name) => !(name in SUITES))
  if (unknown.length > 0) {
    console.error(`unknown suite ${unknown.join(', ')}; known: ${Object.keys(SUITES).join(', ')}`)
    process.exitCode = 2
    return
  }
  for (const name of asked.length > 0 ? asked : Object.keys(SUITES).filter((name) => !SUITES[name].isLarge)) {
    const { title, run } = SUITES[name]
    const report = new Report(name, title)
    await run(report)
    report.save()
  }
}

void main(process.argv.slice(2))
