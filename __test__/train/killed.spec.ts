// A trainer that is killed at any moment and resumed learns the bits of one that never stopped.

import test from 'ava'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runScript } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const SCRIPT = join(__dirname, '../lifetime/trainer.js')

/** Runs it; killed after so long, it says null. */
function run(checkpoint: string, objective: string, killAfter = Infinity): Promise<string | null> {
  const child = spawn(process.execPath, [SCRIPT, checkpoint, objective], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  let timer: NodeJS.Timeout | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    // Its start is not what is looked at, nor what takes longest.
    if (killAfter !== Infinity) timer ??= setTimeout(() => child.kill('SIGKILL'), killAfter)
  })
  if (killAfter !== Infinity) setTimeout(() => (timer ??= setTimeout(() => child.kill('SIGKILL'), 0)), 1500).unref()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (signal === 'SIGKILL') return resolve(null)
      if (code === 0) return resolve(out.trim().split('\n').at(-1)!)
      reject(new Error(`exit code ${code}`))
    })
  })
}

/** After so many kills a run may end. */
const MOST = { 'skip-gram': 20, cbow: 10, classify: 20, 'next-token': 20, tied: 8, sampled: 8 }

for (const [objective, most] of Object.entries(MOST)) {
  test.serial(`${objective}: killed again and again`, async (t) => {
    const whole = await run(join(mkdtempSync(join(base, 'whole-')), 'run.safetensors'), objective)
    let folder = ''
    let kills = 0
    // Where it is done after a few kills already, they come faster.
    for (let longest = 160; kills <= 5; longest /= 2) {
      folder = mkdtempSync(join(base, 'killed-'))
      let found: string | null = null
      kills = 0
      for (let i = 0; found === null; i++) {
        // Another moment each time.
        found = await run(join(folder, 'run.safetensors'), objective, i < most ? (i * 37) % longest : Infinity)
        kills += found === null ? 1 : 0
      }
      t.true(found === whole)
    }
    t.log(`killed ${kills} times`)
    // Killed between the name that a whole file gets first and the one it is for, it leaves the former.
    t.deepEqual(
      readdirSync(folder).filter((name) => !name.endsWith('.part')),
      ['run.safetensors'],
    )
  })
}

test.serial('a process that exits in the midst of a training step does not wait for it', async (t) => {
  const { code, stdout, stderr } = await runScript('lifetime/exits.js')
  t.is(code, 7, stderr)
  const took = Date.now() - Number(stdout)
  t.true(took < 1500, `${took} ms`)
})
