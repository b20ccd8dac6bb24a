// Ids and offsets of tokenizer.json files, compared with Python's library. `node scripts/tokenizer-files.mjs` fetches
// real files, of which this compares a part of the texts; with `--compare` it compares all.

import test from 'ava'
import { join } from 'node:path'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'
import { differences, isFetched, NAMES } from './tokenizer-files/digests.js'
import { compareParts } from './tokenizer-files/parts.js'

const folder = temporaryFolder()

for (const name of NAMES) {
  const run = isFetched(name) ? test : test.skip
  run(`${name}: has the ids and offsets of the library`, (t) => {
    t.timeout(120_000)
    const found = differences(name, true)
    t.deepEqual(
      found.map(({ kind, block }) => `${kind} of ${block.part}`),
      [],
    )
  })
}

test('small tokenizers of random parts have the ids and offsets of the library', (t) => {
  const outcome = compareParts(join(root, 'testdata/golden/tokenizer_files/parts.json.gz'), folder)
  t.true(outcome.files > 300 && outcome.texts > 4000)
  t.deepEqual(outcome.different, [])
})
