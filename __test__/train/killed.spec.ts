// A trainer that is killed at any moment and resumed gives the same bits as one that never stopped.

import test from 'ava'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runScript } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const SCRIPT = join(__dirname, '../lifetime/trainer.js')

/** Runs the trainer and returns its result, or null if it is killed after the given time. */
function run(checkpoint: string, objective: string, killAfter = Infinity): Promise<string | null> {
  const child = spawn(process.execPath, [SCRIPT, checkpoint, objective], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  let timer: NodeJS.Timeout | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    // The time runs from the first output, so that starting the process does not count.
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

/** The number of kills after which a run may end. */
const MOST = { 'skip-gram': 20, cbow: 10, classify: 20, 'next-token': 20, tied: 8, sampled: 8 }

for (const [objective, most] of Object.entries(MOST)) {
  test.serial(`${objective}: gives the same bits if it is killed again and again`, async (t) => {
    const whole = await run(join(mkdtempSync(join(base, 'whole-')), 'run.safetensors'), objective)
    let folder = ''
    let kills = 0
    // If a run is done after a few kills, the next one is killed faster.
    for (let longest = 160; kills <= 5; longest /= 2) {
      folder = mkdtempSync(join(base, 'killed-'))
      let found: string | null = null
      kills = 0
      for (let i = 0; found === null; i++) {
        // The time differs with each kill.
        found = await run(join(folder, 'run.safetensors'), objective, i < most ? (i * 37) % longest : Infinity)
        kills += found === null ? 1 : 0
      }
      t.true(found === whole)
    }
    t.log(`killed ${kills} times`)
    // A process that is killed before a complete temporary file is renamed leaves that file.
    t.deepEqual(
      readdirSync(folder).filter((name) => !name.endsWith('.part')),
      ['run.safetensors'],
    )
  })
}

test.serial('a process that exits during a training step does not wait for it', async (t) => {
  const { code, stdout, stderr } = await runScript('lifetime/exits.js')
  t.is(code, 7, stderr)
  const took = Date.now() - Number(stdout)
  // A step takes ten times as long on any machine.
  t.true(took < 5000, `${took} ms`)
})
