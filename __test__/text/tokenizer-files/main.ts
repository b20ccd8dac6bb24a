// What `node scripts/tokenizer-files.mjs` runs:
//
//   main.js corpus FILE            writes the texts for Python, a block a line
//   main.js added FILE JSON        the same for the added tokens of a tokenizer.json
//   main.js compare [NAME ...]     compares all texts with the goldens, and explains differences
//   main.js short [NAME ...]       the same for the short form

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { corpus, withAddedTokens, type Block } from './corpus.js'
import { differences, isFetched, NAMES } from './digests.js'
import { explain } from './explain.js'

function write(path: string, all: Iterable<Block>): void {
  const file = openSync(path, 'w')
  for (const block of all) writeSync(file, `${JSON.stringify(block)}\n`)
  closeSync(file)
}

/** Differences of a file that are explained. */
const SHOWN = 4

function compare(names: string[], short: boolean): void {
  let [same, different, absent] = [0, 0, 0]
  for (const name of names) {
    if (!isFetched(name)) {
      console.log(`${name}: not fetched`)
      absent++
      continue
    }
    const began = performance.now()
    const found = differences(name, short)
    const seconds = ((performance.now() - began) / 1e3).toFixed(1)
    console.log(`${name}: ${found.length === 0 ? 'the same' : `${found.length} blocks differ`}, ${seconds} s`)
    if (found.length === 0) same++
    else different++
    const shown = new Set<string>()
    for (const { kind, block } of found) {
      const what = `${kind} of ${block.part}`
      if (shown.has(what) || shown.size >= 2 * SHOWN || kind === 'framed') continue
      shown.add(what)
      console.log(`  ${what}`)
      const isOffsets = kind.toLowerCase().endsWith('offsets')
      for (const one of explain(name, block.texts, isOffsets, SHOWN)) console.log(`    ${JSON.stringify(one)}`)
    }
  }
  console.log(`${same} the same, ${different} different, ${absent} not fetched`)
  if (different > 0) process.exitCode = 1
}

const [command, ...args] = process.argv.slice(2)
if (command === 'corpus') write(args[0], corpus())
else if (command === 'added') write(args[0], withAddedTokens(JSON.parse(readFileSync(args[1], 'utf8')).added_tokens))
else compare(args.length > 0 ? args : NAMES, command === 'short')
