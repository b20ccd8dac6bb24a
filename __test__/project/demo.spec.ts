// Runs the demo as a user would.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSafetensors } from '../../index.js'

const DEMO = join(__dirname, '..', '..', 'examples', 'demo.js')

function demo(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-demo-'))
  writeFileSync(join(folder, 'book.txt'), 'In the sunlit terraces of some unknown place. '.repeat(200))
  const { status, stdout, stderr } = spawnSync(process.execPath, [DEMO, ...args], { cwd: folder, encoding: 'utf8' })
  return { folder, status, stdout, stderr }
}

test("turns a user's text into input embeddings, prints them and writes them", (t) => {
  const { folder, status, stdout, stderr } = demo('book.txt')
  t.is(status, 0, stderr)
  t.regex(stdout, /^book\.txt: 9,200 characters, GPT-2's BPE of 50,257 tokens/)
  for (const shape of ['[8, 4]', '[8, 4, 256]', '[4, 256]']) t.true(stdout.includes(` ${shape}\n`), shape)
  t.regex(stdout, /818 +262 +4252 +18250 +"In" " the" " sun" "lit"/)
  t.is(stdout.match(/tokens\/s/g)?.length, 4)
  const written = loadSafetensors(join(folder, 'input-embeddings.safetensors'))
  const [token, position, input] = ['token', 'position', 'input'].map((name) => written.get(name)!)
  t.deepEqual(input.shape, [8, 4, 256])
  t.deepEqual(token.add(position).data, input.data)
})

test('uses Moby Dick if no book is named', (t) => {
  const { status, stdout, stderr } = demo()
  t.is(status, 0, stderr)
  t.regex(stdout, /^Moby Dick: 1,2\d\d,\d{3} characters/)
})

test('prints one line about a missing or too short book', (t) => {
  const missing = demo('nowhere.txt')
  t.is(missing.status, 1)
  t.regex(missing.stderr, /^ENOENT: .*nowhere\.txt.*\n$/)
  const empty = join(missing.folder, 'empty.txt')
  writeFileSync(empty, '')
  const short = demo(empty)
  t.is(short.status, 1)
  t.regex(short.stderr, /^the text has 0 ids, but a window of 4 with its targets needs 5\n$/)
  const few = join(missing.folder, 'few.txt')
  writeFileSync(few, 'Only a few words stand here.')
  const unfilled = demo(few)
  t.is(unfilled.status, 1)
  t.regex(unfilled.stderr, /^few\.txt: 7 ids do not fill a batch of 8 windows of 4\n$/)
})

test('rejects a misspelled option', (t) => {
  const { status, stderr } = demo('--batch')
  t.is(status, 2)
  t.regex(stderr, /^usage: /)
})
