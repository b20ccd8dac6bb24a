// tokenbed queue and tokenbed verify: what they say, and their exit codes.

import test from 'ava'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { command, ended, fails, output, PROGRAM, start } from '../support/command.js'
import { fitsSchema, misfits, schemaOf } from '../support/json-schema.js'
import { RedisServer, withRedis } from '../support/servers.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const real = withRedis(test)
const redis = new RedisServer()
if (real !== test.skip) test.before(() => redis.start())

/** A folder with 200 records, of which those that are named have no text, and with a module that embeds. */
function folder({ bad = [] as number[], delayMs = 0 } = {}): string {
  const path = mkdtempSync(join(base, 'x-'))
  const records = Array.from({ length: 200 }, (_, i) => (bad.includes(i) ? { id: i } : { id: i, body: `text ${i}` }))
  writeFileSync(join(path, 'a.jsonl'), records.map((record) => JSON.stringify(record)).join('\n'))
  // The command and the module share one package: tensors of another are no tensors.
  const module = `const { tensor } = require(${JSON.stringify(join(dirname(PROGRAM), '../index.js'))})
exports.open = () => ({ dim: 2, embedAsync: async (texts) => {
  await new Promise((resolve) => setTimeout(resolve, ${delayMs}))
  return tensor(texts.map((text) => [text.length, 1]), { dtype: 'float32' })
} })`
  writeFileSync(join(path, 'model.cjs'), module)
  return path
}

const env = () => ({ TOKENBED_QUEUE: redis.url })
const ADD = ['queue', 'add', 'a.jsonl', '--field', 'body', '--id', 'id', '--model', 'model.cjs', '--out', 'vectors']

real('add, work, status and verify', async (t) => {
  const cwd = folder()
  const setting = { cwd, env: env() }
  const named = ['--queue', 'plain']
  const added = await output(t, [...ADD, '--parts', '5', ...named], setting)
  t.is(added, 'vectors: 5 parts: 0 done, 5 added, 0 already in the queue\n')
  t.is(
    await output(t, ['queue', 'status', 'vectors', ...named], setting),
    'vectors\n  parts         0 of 5 done\n  in the queue  5 waiting, 0 worked on, 0 to be tried again\n  failed        none\n  missing       none\n',
  )
  const worked = await command(['queue', 'work', '--model', 'model.cjs', ...named], setting)
  t.is(worked.code, 0, worked.stderr)
  t.is(worked.stdout, '5 parts done\n')
  t.regex(worked.stderr, /vectors: part 4 of 5: done\n/)
  const found = await fitsSchema(t, 'queue status', ['vectors', ...named], setting)
  t.like(found, { parts: 5, done: 5, isComplete: true, failed: [], missing: 0 })
  const said = 'vectors: 200 rows of 2 float32 in 5 shards; every byte is as it was written\n'
  t.is(await output(t, ['queue', 'verify', 'vectors'], { cwd }), said)
  t.is(await output(t, ['verify', 'vectors'], { cwd }), said)
  t.like(await fitsSchema(t, 'verify', ['vectors'], { cwd }), { rows: 200, verified: true })
  t.like(await fitsSchema(t, 'queue verify', ['vectors'], { cwd }), { rows: 200, verified: true })
  t.like(await fitsSchema(t, 'queue add', [...ADD.slice(2), '--parts', '5', ...named], setting), { done: 5 })
  t.is(
    await output(t, [...ADD, '--parts', '5', ...named], setting),
    'vectors: 5 parts: 5 done, 0 added, 0 already in the queue\n',
  )
  const shard = join(cwd, 'vectors', 'shard-1-of-5-00000.safetensors')
  const bytes = readFileSync(shard)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(shard, bytes)
  await fails(t, ['verify', 'vectors'], 1, ['shard-1-of-5-00000.safetensors has the SHA-256', 'it was changed'], {
    cwd,
  })
})

real('exit code 3 names the parts that failed', async (t) => {
  const cwd = folder({ bad: [100] })
  const setting = { cwd, env: env() }
  const named = ['--queue', 'poison']
  await output(t, [...ADD, '--parts', '4', '--attempts', '1', ...named], setting)
  const { code, stdout, stderr } = await command(
    ['queue', 'work', '--model', 'model.cjs', '--json', '--quiet', ...named],
    setting,
  )
  t.is(code, 3)
  t.like(JSON.parse(stdout), { done: 3, failed: [{ count: 4, attempts: 1 }] })
  t.deepEqual(misfits(JSON.parse(stdout), await schemaOf(t, 'queue work')), [])
  t.regex(stderr, /^tokenbed: 1 part failed: .*vectors: part 1 of 4: .*it has no field "body"\n$/)
  const said = await output(t, ['queue', 'status', 'vectors', ...named], setting)
  t.regex(said, /  failed        1 part failed: /)
  // Another model is another table: its parts fail at once, and they are named.
  writeFileSync(join(cwd, 'other.cjs'), `${readFileSync(join(cwd, 'model.cjs'), 'utf8')}\n`)
  t.regex(await output(t, [...ADD, '--parts', '4', ...named], setting), /1 added \(1 that had failed\)/)
  const other = await command(['queue', 'work', '--model', 'other.cjs', '--quiet', ...named], setting)
  t.is(other.code, 3)
  t.regex(other.stderr, /is for the model [0-9a-f]{64}, and this worker has [0-9a-f]{64}/)
})

real('SIGTERM finishes the part, or gives it back', async (t) => {
  const cwd = folder({ delayMs: 1500 })
  const setting = { cwd, env: env() }
  const named = ['--queue', 'signals']
  await output(t, [...ADD, '--parts', '3', ...named], setting)
  for (const [grace, told] of [
    ['30', '1 part done\n'],
    ['0.1', '0 parts done, 1 given back\n'],
  ]) {
    const child = start(['queue', 'work', '--model', 'model.cjs', '--grace', grace, ...named], setting)
    child.stderr!.once('data', () => child.kill('SIGTERM'))
    const { code, stdout } = await ended(child)
    t.deepEqual([code, stdout], [143, told])
  }
  const found = JSON.parse(await output(t, ['queue', 'status', 'vectors', '--json', ...named], setting))
  t.like(found, { done: 1, waiting: 2, active: 0, failed: [] })
})

test('wrong use is told', async (t) => {
  const cwd = folder()
  const none = { cwd, env: { TOKENBED_QUEUE: undefined } }
  await fails(t, ADD, 2, ['--server is missing', 'TOKENBED_QUEUE'], none)
  await fails(t, [...ADD, '--server', 'localhost:6379'], 2, ['--server must begin with redis://'], none)
  await fails(t, ['queue', 'work', '--server', 'redis://127.0.0.1:1'], 2, ["'-m, --model <path>' not specified"], none)
  await fails(t, ['queue', 'add', '-', ...ADD.slice(3), '--server', 'redis://127.0.0.1:1'], 2, ['standard input'], none)
  await fails(t, ['queue', 'work', '-m', 'nothing', '-s', 'redis://127.0.0.1:1'], 1, ['cannot reach the server'], none)
  await fails(t, ['verify', 'nothing'], 1, ['manifest.json: it is missing'], { cwd })
})
