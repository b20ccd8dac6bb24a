// The example of an array of Slurm, run by a Slurm of this machine: what was cancelled is completed by the same script.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { embedShards, TextEmbedder, verifyShards } from '../../index.js'
import { contents } from '../support/contents.js'
import { root } from '../support/golden.js'
import { startSlurm, withSlurm } from '../support/servers.js'
import { temporaryFolder } from '../support/temporary.js'

const WORKERS = 4
const LINES = 40_000

withSlurm(test)(
  'an array that was cancelled and submitted again makes the files of one process that nobody disturbed',
  async (t) => {
    t.timeout(300_000)
    const at = mkdtempSync(join(temporaryFolder(), 'array-'))
    const [model, texts, clean] = [join(at, 'model'), join(at, 'reviews.jsonl'), join(at, 'clean')]
    cpSync(join(root, 'testdata/golden/embed/m2v-f32'), model, { recursive: true })
    const lines = Array.from({ length: LINES }, (_, i) => `${JSON.stringify({ text: `the white whale ${i}` })}\n`)
    writeFileSync(texts, lines.join(''))
    // The example is a project of its own, beside which the package is installed.
    mkdirSync(join(at, 'node_modules'))
    symlinkSync(root, join(at, 'node_modules/tokenbed'), 'junction')
    cpSync(join(root, 'examples/cluster/shard.mjs'), join(at, 'shard.mjs'))
    const script = readFileSync(join(root, 'examples/cluster/slurm.sh'), 'utf8').replaceAll('/shared/', `${at}/`)
    writeFileSync(join(at, 'slurm.sh'), script)

    const env = await startSlurm()
    const run = (program: string, ...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(program, args, { cwd: at, env, encoding: 'utf8' })
      return { status, said: stdout + stderr }
    }
    // This machine is smaller than those of the example.
    const fits = [`--array=0-${WORKERS - 1}`, '--cpus-per-task=1', '--mem=0', `--output=${at}/said-%a`]
    const first = run('sbatch', '--parsable', ...fits, 'slurm.sh')
    t.is(first.status, 0, first.said)
    await setTimeout(1500)
    run('scancel', '--signal=KILL', '--full', first.said.trim())
    const again = run('sbatch', '--wait', ...fits, 'slurm.sh')
    const said = Array.from({ length: WORKERS }, (_, i) => readFileSync(join(at, `said-${i}`), 'utf8'))
    run('scontrol', 'shutdown')
    t.is(again.status, 0, again.said + said.join(''))
    said.forEach((text, i) => t.regex(text, new RegExp(`worker ${i} of ${WORKERS}: `)))

    const embedder = TextEmbedder.load(model)
    const sha256 = createHash('sha256')
      .update(readFileSync(join(model, 'model.safetensors')))
      .digest('hex')
    for (let index = 0; index < WORKERS; index++)
      await embedShards(clean, [texts], { embedder, model: sha256, shard: { index, count: WORKERS }, resume: true })
    t.deepEqual(contents(join(at, 'vectors')), contents(clean))
    t.is((await verifyShards(join(at, 'vectors'))).rows, LINES)
  },
)
