// Tests the command when a signal ends it, and when nobody reads its output any more.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { loadSafetensors } from '../../index.js'
import { command, ended, PROGRAM, start } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const folder = () => mkdtempSync(join(base, 'x-'))
/** Windows has no signals that a process could handle. */
const posix = process.platform === 'win32' ? test.skip : test

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const

for (const [signal, code] of SIGNALS) {
  posix(`${signal} while rows are being written`, async (t) => {
    const cwd = folder()
    writeFileSync(join(cwd, 'x.safetensors'), 'old')
    const child = start(['embed', '--dim', '16', '--out', 'x.safetensors'], { cwd })
    const end = ended(child)
    const feed = setInterval(() => child.stdin!.write('word '.repeat(10_000)), 5)
    child.stdin!.on('error', () => {})
    // The first line comes after a second of work.
    await once(child.stderr!, 'data')
    child.kill(signal)
    const { code: found, stdout } = await end
    clearInterval(feed)
    t.is(found, code)
    t.is(stdout, '')
    t.deepEqual(readdirSync(cwd), ['x.safetensors'])
    t.is(readFileSync(join(cwd, 'x.safetensors'), 'utf8'), 'old')
  })
}

posix('SIGINT while stdin is waited for', async (t) => {
  const cwd = folder()
  const child = start(['embed', '--dim', '16', '--out', 'x.safetensors'], { cwd })
  const end = ended(child)
  child.stdin!.write('The beginning of a text.')
  await setTimeout(600)
  child.kill('SIGINT')
  const { code } = await end
  // On a very slow machine the handlers may not be installed yet; then the signal itself ends the process.
  t.true(code === 130 || code === 'SIGINT', String(code))
  t.deepEqual(readdirSync(cwd), [])
})

posix('SIGINT at any moment leaves a whole file or none', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'book.txt'), 'It was the best of times, it was the worst of times. '.repeat(20_000))
  for (const delay of [20, 80, 120, 160, 200, 250, 300, 400, 500]) {
    const child = start(['embed', 'book.txt', '--dim', '32', '--out', 'x.safetensors'], { cwd })
    const end = ended(child)
    await setTimeout(delay)
    child.kill('SIGINT')
    const { code } = await end
    t.true(code === 130 || code === 'SIGINT' || code === 0, `after ${delay} ms: ${code}`)
    const left = readdirSync(cwd).filter((name) => name !== 'book.txt')
    if (left.length === 0) continue
    t.deepEqual(left, ['x.safetensors'])
    t.is(loadSafetensors(join(cwd, 'x.safetensors')).get('embeddings')!.shape[2], 32)
  }
})

posix('a reader that leaves early is no error', (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'book.txt'), 'It was the best of times, it was the worst of times. '.repeat(20_000))
  const pipe = (args: string) =>
    spawnSync('bash', ['-c', `set -o pipefail; "$0" "$1" ${args} | head -n 1`, process.execPath, PROGRAM], {
      cwd,
      encoding: 'utf8',
    })
  t.like(pipe('tokens book.txt --ids'), { status: 0, stdout: '1026\n', stderr: '' })
  t.like(pipe('tokens book.txt'), { status: 0, stdout: '1026\tIt\n', stderr: '' })
  t.like(pipe('embed --help'), { status: 0, stderr: '' })
  t.like(
    spawnSync(
      'bash',
      ['-c', 'set -o pipefail; "$0" "$1" embed book.txt --dim 8 -o x.npy 2>&1 | true', process.execPath, PROGRAM],
      { cwd },
    ),
    { status: 0 },
  )
  t.true(readdirSync(cwd).includes('x.npy'), 'the work is done all the same')
})

test('progress in a pipe is an occasional line', async (t) => {
  const cwd = folder()
  const child = start(['embed', '--dim', '8', '--out', 'x.npy'], { cwd })
  const end = ended(child)
  const feed = setInterval(() => child.stdin!.write('word '.repeat(1000)), 5)
  const begun = performance.now()
  for (let lines = 0; lines < 2; lines++) await once(child.stderr!, 'data')
  clearInterval(feed)
  child.stdin!.end()
  const { code, stderr } = await end
  t.is(code, 0)
  const lines = stderr.split('\n').slice(0, -1)
  t.true(lines.length >= 2 && lines.length <= 1 + (performance.now() - begun) / 1e3, stderr)
  for (const line of lines) t.regex(line, /^tokenbed: [\d.]+K? tokens, [\d.]+K? tokens\/s$/)
})

test('prints no progress for short work', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'a.txt'), 'A short text.')
  t.is((await command(['embed', 'a.txt', '--dim', '8', '-o', 'x.npy'], { cwd })).stderr, '')
})
