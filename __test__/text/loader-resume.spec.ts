import test from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDataLoader, type DataLoader, Generator, manualSeed } from '../../index.js'
import { runScript } from '../support/child.js'
import { firsts, orders } from '../support/epochs.js'
import { temporaryFolder } from '../support/temporary.js'

const EPOCHS = 3
const ids = Array.from({ length: 24 }, (_, i) => i)
const folder = temporaryFolder()

const KINDS = [true, false].flatMap((shuffle) =>
  [true, false].flatMap((own) =>
    // There are 22 windows. The last batch is short and dropped, short and kept, or full.
    [
      { batchSize: 4, dropLast: true },
      { batchSize: 4, dropLast: false },
      { batchSize: 11, dropLast: false },
    ].map((sizes) => ({
      name: `${shuffle ? 'shuffled' : 'in order'}, ${own ? 'an own' : 'the default'} generator, ${sizes.batchSize} to a batch${sizes.dropLast ? ', dropLast' : ''}`,
      options: { maxLength: 2, stride: 1, shuffle, ...sizes },
      own,
    })),
  ),
)

/** A loader in a process whose generator is at `seed`. */
function make({ options, own }: (typeof KINDS)[number], seed: number): DataLoader {
  if (!own) manualSeed(seed)
  return createDataLoader(ids, { ...options, ...(own ? { generator: new Generator(seed) } : {}) })
}

for (const [number, kind] of KINDS.entries()) {
  for (const every of [1, 2, 3, 5]) {
    test.serial(`${kind.name}: gives the same batches if it stops and resumes after every ${every} batches`, (t) => {
      const expected = orders(make(kind, 7), EPOCHS)
      const seen: number[][][] = Array.from({ length: EPOCHS }, () => [])
      let loader = make(kind, 7)
      let count = 0
      let lives = 1
      for (let epoch = 0; epoch < EPOCHS;) {
        let stopped = false
        for (const batch of loader) {
          seen[epoch].push(firsts(batch))
          if (++count % every !== 0) continue
          // Simulates another process, which only has the state: it goes through JSON and another loader before it is
          // used.
          const state = JSON.parse(JSON.stringify(loader.state()))
          const between = make(kind, 1000 + count)
            .load(state)
            .state()
          t.deepEqual(between, state)
          loader = make(kind, 2000 + count).load(between)
          lives++
          stopped = true
          break
        }
        if (!stopped) epoch++
      }
      t.deepEqual(seen, expected)
      t.true(lives > 1)
    })
  }

  test(`${kind.name}: gives the same batches if it is killed after every batch, before and after recording it`, async (t) => {
    const expected = orders(make(kind, 7), 2).flat()
    const log = join(folder, `${number}.log`)
    writeFileSync(log, '')
    let lives = 0
    for (let done = false; !done; lives++) {
      if (lives > 40) return t.fail('it does not come to an end')
      // The two ways alternate: it records one more batch and loses a second one, or dies right after recording one.
      const when = lives % 2 === 0 ? 'before' : 'after'
      const { code, stderr } = await runScript('lifetime/killed.js', [
        log,
        JSON.stringify({ ...kind, seed: lives === 0 ? 7 : 99 }),
        when,
        '2',
      ])
      if (code === 0) done = true
      else t.true(code === 'SIGKILL' || process.platform === 'win32', `${code} ${stderr}`)
    }
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    t.deepEqual(
      lines.map((line) => JSON.parse(line).batch),
      expected,
    )
    t.true(lives > expected.length / 2)
  })
}
