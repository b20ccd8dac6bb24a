// Jobs of a real Redis and of a real Postgres: what each promise of the queue says, with workers and servers that are
// killed.

import test from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import {
  FileError,
  FormatError,
  UsageError,
  embedShards,
  tensor,
  verifyShards,
  type AsyncEmbedder,
} from '../../index.js'
import { addJobs, plan, QueueError, status, work, type WorkEvent, type WorkOptions } from '../../queue.js'
import { contents } from '../support/contents.js'
import { root } from '../support/golden.js'
import { PostgresServer, RedisServer, withPostgres, withRedis } from '../support/servers.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = () => mkdtempSync(join(base, 'x-'))
const MODEL = 'm1'
const PARTS = 40
/** What workers say when they are alive, and how soon others notice that they do not. */
const TIMING = { lockMs: 2000, stalledMs: 1000 }

const vectorOf = (text: string) => [text.length, [...text].reduce((sum, char) => sum + char.codePointAt(0)!, 0)]

/** Gives each text its length and the sum of its codes. */
function embedderOf(before: (texts: readonly string[]) => unknown = () => {}): AsyncEmbedder {
  return {
    dim: 2,
    embedAsync: async (texts) => {
      await before(texts)
      return tensor(texts.map(vectorOf), { dtype: 'float32' })
    },
  }
}
const embedder = embedderOf()

function corpus(lines = 600): string[] {
  const folder = fresh()
  return ['a.txt', 'b.txt'].map((name, i) => {
    const path = join(folder, name)
    writeFileSync(
      path,
      Array.from({ length: lines }, (_, at) => `${name} ${at} ${'é'.repeat((at * (i + 1)) % 13)}\n`).join(''),
    )
    return path
  })
}

const options = { embedder, model: MODEL, shardRows: 30, parts: PARTS }
/** The folder that one process makes of the same plan. */
async function clean(files: string[]): Promise<Record<string, string>> {
  const folder = join(fresh(), 'out')
  const { parts, ...rest } = options
  for (let index = 0; index < parts; index++)
    await embedShards(folder, files, { ...rest, shard: { index, count: parts } })
  return contents(folder)
}

const children: ChildProcess[] = []
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))

/** A worker in a process of its own, which says a line for each event. */
function workerOf(url: string, queue: string, delayMs: number): ChildProcess & { lines: string[] } {
  const script = `const { tensor } = require(${JSON.stringify(join(root, 'dist/index.js'))})
const { work } = require(${JSON.stringify(join(root, 'dist/queue.js'))})
const vectorOf = (text) => [text.length, [...text].reduce((sum, char) => sum + char.codePointAt(0), 0)]
const embedder = { dim: 2, embedAsync: async (texts) => {
  await new Promise((resolve) => setTimeout(resolve, ${delayMs}))
  return tensor(texts.map(vectorOf), { dtype: 'float32' })
} }
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
work({ connection: ${JSON.stringify(url)}, queue: ${JSON.stringify(queue)}, embedder, model: 'm1', lockMs: 2000,
  stalledMs: 1000, signal: stop.signal, graceMs: 3000, onEvent: ({ kind, part }) => part && console.log(kind, part.index) })
  .then((result) => console.log('end', JSON.stringify(result)))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
  })
  children.push(child)
  return Object.assign(child, { lines })
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let i = 0; !isTrue(); i++) {
    if (i === 3000) throw new Error(`waited in vain: ${what}`)
    await setTimeout(20)
  }
}

const ended = (child: ChildProcess) =>
  child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null

/** A server, and the tests that need it. */
type Place = [name: string, real: ReturnType<typeof withRedis>, server: RedisServer | PostgresServer]

const PLACES: Place[] = [
  ['Redis', withRedis(test), new RedisServer()],
  ['Postgres', withPostgres(test), new PostgresServer()],
]

for (const [name, real, server] of PLACES) {
  if (real !== test.skip) test.before(() => server.start())
  const named = (title: string) => `${name}: ${title}`
  const place = (queue: string) => ({ connection: server.url, queue })
  const worker = (queue: string, { delayMs = 10 } = {}) => workerOf(server.url, queue, delayMs)
  const run = (queue: string, more: Partial<WorkOptions> = {}) =>
    work({ ...place(queue), ...(more.open ? {} : { embedder, model: MODEL }), ...more })

  real(named('a plan becomes jobs, workers do them, and the folder has the bytes of one process'), async (t) => {
    const files = corpus()
    const folder = join(fresh(), 'out')
    const made = await plan(folder, files, options)
    t.is(made.parts, PARTS)
    t.deepEqual(await plan(folder, files, options), made)
    t.deepEqual(await addJobs(made, place('whole')), { done: 0, added: PARTS, retried: 0, there: 0 })
    // Whoever adds them again, a part has one job.
    t.deepEqual(await addJobs(folder, place('whole')), { done: 0, added: 0, retried: 0, there: PARTS })
    t.like(await status(folder, place('whole')), {
      parts: PARTS,
      done: 0,
      isComplete: false,
      waiting: PARTS,
      missing: 0,
    })
    const opened: string[] = []
    const open = async () => (opened.push('once'), { embedder, model: MODEL })
    const results = await Promise.all([run('whole', { open }), run('whole', { concurrency: 2 })])
    t.is(results[0].done + results[1].done, PARTS)
    t.deepEqual(
      results.map(({ failed, lost, returned }) => ({ failed, lost, returned })),
      [
        { failed: [], lost: 0, returned: 0 },
        { failed: [], lost: 0, returned: 0 },
      ],
    )
    t.deepEqual(opened, ['once'])
    t.is((await verifyShards(folder)).rows, 1200)
    t.deepEqual(contents(folder), await clean(files))
    t.deepEqual(await addJobs(folder, place('whole')), { done: PARTS, added: 0, retried: 0, there: 0 })
    t.like(await status(folder, place('whole')), { done: PARTS, isComplete: true, waiting: 0, active: 0, failed: [] })
  })

  real(
    named('1: a queue that lost its jobs gets those that are missing, and what is done is not done again'),
    async (t) => {
      const files = corpus()
      const folder = join(fresh(), 'out')
      await plan(folder, files, options)
      await addJobs(folder, place('flushed'))
      const stop = new AbortController()
      let done = 0
      const onEvent = ({ kind }: WorkEvent) => kind === 'done' && ++done === 15 && stop.abort()
      await run('flushed', { signal: stop.signal, onEvent })
      await server.forget()
      t.is((await status(folder, place('flushed'))).missing, PARTS - done)
      t.like(await addJobs(folder, place('flushed')), { done, added: PARTS - done })
      let started = 0
      await run('flushed', { onEvent: ({ kind }) => kind === 'started' && started++ })
      t.is(started, PARTS - done)
      t.deepEqual(contents(folder), await clean(files))
    },
  )

  real(
    named('2: a shard that appears meanwhile is a success if it has the same bytes, and else an error that stays'),
    async (t) => {
      const files = corpus(40)
      const { parts: _, ...rest } = options
      const [same, other] = [join(fresh(), 'same'), join(fresh(), 'other')]
      for (const folder of [same, other]) {
        await plan(folder, files, { ...options, parts: 1 })
        await addJobs(folder, { ...place(folder === same ? 'same' : 'other'), backoffMs: 10 })
      }
      const shard = 'shard-00000.safetensors'
      const doing = (step: () => unknown) => {
        let isFirst = true
        return embedderOf(() => isFirst && ((isFirst = false), step()))
      }
      const again = doing(() => embedShards(same, files, { ...rest, resume: true }))
      t.like(await run('same', { embedder: again }), { done: 1, failed: [] })
      await verifyShards(same)
      const others = doing(() => writeFileSync(join(other, shard), 'other bytes'))
      const { done, failed } = await run('other', { embedder: others })
      t.is(done, 0)
      t.like(failed, [{ folder: other, attempts: 3 }])
      t.regex(
        failed[0].reason,
        /two workers made different bytes of one shard \({"there":"[0-9a-f]{64}","made":"[0-9a-f]{64}"}\)/,
      )
      t.is(readFileSync(join(other, shard), 'utf8'), 'other bytes')
      for (const name of [shard, 'shard-00000.conflict.json']) rmSync(join(other, name))
      t.like(await addJobs(other, place('other')), { retried: 1 })
      t.like(await run('other'), { done: 1, failed: [] })
      t.deepEqual(contents(other), contents(same))
    },
  )

  real(named('3: workers and the server are killed, and the bytes are those of one run'), async (t) => {
    const files = corpus()
    const folder = join(fresh(), 'out')
    await plan(folder, files, options)
    await addJobs(folder, place('kills'))
    const workers = [worker('kills'), worker('kills'), worker('kills')]
    await until(() => workers[0].lines.length > 6, 'the first worker begins')
    workers[0].kill('SIGKILL')
    await until(() => workers[1].lines.length > 12, 'the second worker goes on')
    await server.kill()
    await setTimeout(200)
    await server.start()
    for (const child of workers) await ended(child)
    t.is((await verifyShards(folder)).rows, 1200)
    t.deepEqual(contents(folder), await clean(files))
    t.like(await status(folder, place('kills')), { isComplete: true, failed: [], active: 0 })
  })

  real(named('3: what a killed worker had is done by another within the lock and the interval'), async (t) => {
    const folder = join(fresh(), 'out')
    await plan(folder, corpus(40), { ...options, parts: 1 })
    await addJobs(folder, place('stalled'))
    const killed = worker('stalled', { delayMs: 60_000 })
    await until(() => killed.lines.includes('started 0'), 'the worker begins')
    killed.kill('SIGKILL')
    const begun = performance.now()
    t.is((await run('stalled', TIMING)).done, 1)
    t.true(performance.now() - begun < 8000)
    t.is((await verifyShards(folder)).rows, 80)
  })

  real(named('4: locks are renewed while a part is worked on, longer than the lock'), async (t) => {
    const folder = join(fresh(), 'out')
    await plan(folder, corpus(40), { ...options, parts: 1 })
    await addJobs(folder, place('long'))
    let calls = 0
    const slow = embedderOf(() => (calls++, setTimeout(1500)))
    const results = await Promise.all([
      run('long', { embedder: slow, ...TIMING }),
      setTimeout(300).then(() => run('long', TIMING)),
    ])
    t.deepEqual(
      results.map(({ done, lost }) => [done, lost]),
      [
        [1, 0],
        [0, 0],
      ],
    )
    t.is(calls, 3)
  })

  real(named('4: a lock that is lost while another worker does the part is no failure'), async (t) => {
    const folder = join(fresh(), 'out')
    const made = await plan(folder, corpus(40), { ...options, parts: 1 })
    await addJobs(folder, place('lost'))
    const events: string[] = []
    // While the worker is busy, the server forgets its lock, and somebody else does the part.
    const slow = embedderOf(async () => {
      await server.unlock('lost', `${made.sha256}-0`)
      const { parts, ...rest } = options
      if (!readdirSync(folder).includes('manifest.json'))
        await embedShards(folder, made.files, { ...rest, resume: true })
      await setTimeout(2500)
    })
    const { done, lost, failed } = await run('lost', {
      embedder: slow,
      ...TIMING,
      onEvent: ({ kind }) => events.push(kind),
    })
    t.true(done >= 1)
    t.deepEqual([lost, failed], [0, []])
    t.true(events.includes('done'))
    await verifyShards(folder)
  })

  real(named('5: a part that failed is tried again when it is added again'), async (t) => {
    const folder = join(fresh(), 'out')
    await plan(folder, corpus(40), { ...options, parts: 4 })
    await addJobs(folder, { ...place('again'), attempts: 2, backoffMs: 10 })
    let isBad = true
    const sometimes = embedderOf(() => {
      if (isBad) throw new Error('the disk is full')
    })
    const { done, failed } = await run('again', { embedder: sometimes })
    t.is(done, 0)
    t.deepEqual(
      failed.map(({ reason, attempts }) => [reason, attempts]),
      Array(4).fill(['the disk is full', 2]),
    )
    isBad = false
    t.deepEqual(await addJobs(folder, place('again')), { done: 0, added: 4, retried: 4, there: 0 })
    t.like(await run('again', { embedder: sometimes }), { done: 4, failed: [] })
    t.is((await verifyShards(folder)).rows, 80)
  })

  real(named('6: a poison range has three attempts, the others go on, and it is named'), async (t) => {
    const path = join(fresh(), 'a.jsonl')
    const lines = Array.from({ length: 200 }, (_, i) => JSON.stringify(i === 100 ? { id: i } : { text: `text ${i}` }))
    writeFileSync(path, lines.join('\n'))
    const folder = join(fresh(), 'out')
    await plan(folder, [path], { ...options, parts: 10 })
    await addJobs(folder, { ...place('poison'), backoffMs: 10 })
    const { done, failed } = await run('poison')
    t.is(done, 9)
    t.is(failed.length, 1)
    t.like(failed[0], { folder, count: 10, attempts: 3 })
    t.regex(failed[0].reason, /it has no field "text"/)
    t.like(await status(folder, place('poison')), { done: 9, isComplete: false, missing: 0, failed })
  })

  real(named('6: a table of another hash fails at once, and the worker lives'), async (t) => {
    const [one, other] = [join(fresh(), 'one'), join(fresh(), 'other')]
    const files = corpus(40)
    await plan(other, files, { ...options, model: 'm2', parts: 2 })
    await plan(one, files, { ...options, parts: 2 })
    await addJobs(other, place('models'))
    await addJobs(one, place('models'))
    const { done, failed } = await run('models')
    t.is(done, 2)
    t.deepEqual(
      failed.map(({ folder, attempts }) => [folder, attempts]),
      [
        [other, 1],
        [other, 1],
      ],
    )
    t.regex(failed[0].reason, /is for the model m2, and this worker has m1/)
    await verifyShards(one)
    t.deepEqual(readdirSync(other), ['plan.json'])
  })

  real(named('7: a worker that is told to stop finishes its part, or gives it back after the grace'), async (t) => {
    const folder = join(fresh(), 'out')
    await plan(folder, corpus(40), { ...options, parts: 4 })
    await addJobs(folder, place('stop'))
    const begun = (ms: number, graceMs: number) => {
      const stop = new AbortController()
      const slow = embedderOf(() => setTimeout(ms))
      const onEvent = ({ kind }: WorkEvent) => kind === 'started' && stop.abort()
      return run('stop', { embedder: slow, signal: stop.signal, graceMs, onEvent })
    }
    t.like(await begun(100, 20_000), { done: 1, returned: 0, failed: [] })
    t.like(await begun(400, 50), { done: 0, returned: 1, failed: [] })
    t.like(await status(folder, place('stop')), { done: 1, waiting: 3, active: 0, failed: [] })
    const child = worker('stop', { delayMs: 300 })
    await until(() => child.lines.length > 0, 'the worker begins')
    child.kill('SIGTERM')
    await ended(child)
    const last = child.lines.at(-1)!
    t.like(JSON.parse(last.replace('end ', '')), { done: 1, returned: 0, lost: 0 })
    t.like(await run('stop'), { done: 2, failed: [] })
    t.is((await verifyShards(folder)).rows, 80)
  })

  real(named('jobs of strangers are refused, and the worker lives'), async (t) => {
    const { createPostgresBackend, Queue } = require('bullmq') as typeof import('bullmq')
    const connection = { url: server.url, connectionString: server.url, migrate: true }
    const queue =
      name === 'Redis'
        ? new Queue('strange', { connection })
        : new Queue('strange', { connection }, createPostgresBackend)
    const folder = join(fresh(), 'out')
    const made = await plan(folder, corpus(10), { ...options, parts: 1 })
    const jobs = [
      null,
      5,
      { folder },
      { folder: '/nowhere', plan: 'x', index: 0, count: 1 },
      { folder, plan: 'x', index: 0, count: 1 },
      { folder, plan: made.sha256, index: 7, count: 1 },
      { folder, plan: made.sha256, index: 0, count: 9 },
    ]
    for (const data of jobs) await queue.add('part', data)
    await addJobs(folder, place('strange'))
    const { done, failed } = await run('strange')
    t.is(done, 1)
    t.is(failed.length, 2)
    t.is(await queue.getFailedCount(), jobs.length)
    await queue.close()
  })
}

withRedis(test)('7: a Redis that may drop jobs is refused', async (t) => {
  const evicting = await new RedisServer('allkeys-lru').start()
  const folder = join(fresh(), 'out')
  await plan(folder, corpus(10), options)
  const its = { connection: evicting.url }
  for (const call of [addJobs(folder, its), status(folder, its), work({ ...its, embedder, model: MODEL })]) {
    await t.throwsAsync(call, {
      instanceOf: QueueError,
      message: /maxmemory-policy allkeys-lru .* set .* to noeviction/,
    })
  }
  await evicting.kill()
  await t.throwsAsync(addJobs(folder, its), {
    instanceOf: QueueError,
    message: /cannot reach the server of the queue at .*: connect ECONNREFUSED/,
  })
})

test('what cannot be used is refused before anything is reached', async (t) => {
  const folder = join(fresh(), 'out')
  const files = corpus(10)
  const refused = (call: Promise<unknown>, message: RegExp, kind: new (...args: never[]) => Error = UsageError) =>
    t.throwsAsync(call, { instanceOf: kind, message } as never)
  await refused(plan(folder, [], options), /files must be an array of paths/)
  await refused(plan(folder, files, { ...options, parts: 0 }), /parts must be/)
  await refused(plan(folder, files, { ...options, shard: { index: 0, count: 2 } } as never), /has no option "shard"/)
  await refused(plan(folder, [join(base, 'missing')], options), /cannot read/, FileError)
  await refused(addJobs(folder, { connection: 'redis://x' }), /plan.json is missing/, FileError)
  await plan(folder, files, options)
  await refused(plan(folder, files, { ...options, model: 'm2' }), /begun with another plan \(other model\)/)
  for (const connection of [undefined, 5, 'localhost:6379', 'http://x', 'redis://']) {
    await refused(addJobs(folder, { connection } as never), /connection must be a URL that begins with redis:/)
  }
  const its = { connection: 'redis://127.0.0.1:1' }
  await refused(addJobs(folder, { ...its, queue: 'a:b' }), /queue must be a name/)
  await refused(addJobs(folder, { ...its, attempts: 0 }), /attempts must be/)
  await refused(work({ ...its, embedder }), /model must be a string/)
  await refused(work({ ...its, model: MODEL }), /embedder must be a TextEmbedder/)
  await refused(work({ ...its, embedder, model: MODEL, open: () => ({ embedder, model: MODEL }) }), /and not both/)
  await refused(work({ ...its, embedder, model: MODEL, lockMs: 5 }), /lockMs must be/)
  await refused(work({ ...its, embedder, model: MODEL, until: 'later' } as never), /until must be one of/)
  await refused(
    status(folder, { connection: 'redis://user:secret@127.0.0.1:1' }),
    /^(?!.*secret).*cannot reach/,
    QueueError,
  )
  for (const text of [
    '',
    '{',
    '[]',
    '{"format":"tokenbed.shards.plan","version":2}',
    '{"format":"tokenbed.shards.plan","version":1}',
  ]) {
    writeFileSync(join(folder, 'plan.json'), text)
    await refused(status(folder, its), /plan.json: /, FormatError)
  }
  rmSync(folder, { recursive: true })
})
