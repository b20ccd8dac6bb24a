// Runs the training example as a user would, on a short text.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const EXAMPLE = join(__dirname, '..', '..', 'examples', 'train.js')

test('prints neighbours before and after training', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-train-'))
  const line = (i: number) =>
    `The Captain of the ${['ship', 'boat'][i % 2]} saw ${['a whale', 'the sea', 'three men'][i % 3]}, and he said so.`
  writeFileSync(join(folder, 'book.txt'), Array.from({ length: 400 }, (_, i) => line(i)).join('\n'))
  const { status, stdout, stderr } = spawnSync(process.execPath, [EXAMPLE, 'book.txt'], {
    cwd: folder,
    encoding: 'utf8',
  })
  t.is(status, 0, stderr)
  t.regex(
    stdout,
    /^Trained on \d+ tokens in \d+\.\d s\nLoss \d+\.\d{3} before and \d+\.\d{3} after; .* has \d\.\d{3}\n/,
  )
  t.is(stdout.match(/before: .*\n {2}after: {2}.*\n/g)?.length, 6)
})
