// Kills by the hundred, and corpora of gigabytes: node scripts/endurance.mjs [kills] [memory] [--kills=200]
// [--gigabytes=4]
//
// kills: the command, the workers of a queue and its Redis are killed at random moments and started again, until the
// work is done. Every folder must have the files of one run that nobody disturbed, byte for byte, and nothing else.
//
// memory: a corpus of 100 MB and one of gigabytes are embedded into shards. As a process is, it may have up to
// MOST_MORE more memory with the larger one: V8 makes its young generation larger in the first seconds, and the C
// library keeps some of what each thread frees. With the settings that docs/guide/machines.md names, which hold both
// back, it must have the same within 5 %.
//
// Both run what dist/ has: npm run build comes first.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure, root, runIfMain } from './process.mjs'

const PROGRAM = join(root, 'dist/cli/tokenbed.js')
const MODEL = join(root, 'testdata/golden/embed/m2v-f32')
const WORDS = ['the', 'white', 'whale', 'and', 'a', 'boat', 'sea', 'of', 'hello', 'world', 'ship', 'deep']
/** Texts of the corpus of the kills. */
const TEXTS = 60_000
const MB = 1e6
/** By how much memory may grow with the corpus: in a process as it is, and with settings that hold it. */
const MOST_MORE = 0.4
const HELD = 0.05
const SETTINGS = { NODE_OPTIONS: '--max-semi-space-size=1', MALLOC_TRIM_THRESHOLD_: '131072' }

const children = new Set()
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))

/** Starts a process that ends with this one. */
function start(program, args, settings = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...settings } })
  child.said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (child.said = (child.said + text).slice(-2000)))
  child.ended = once(child, 'exit')
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const command = (...args) => start(process.execPath, [PROGRAM, ...args])

/** Waits until a command is done; its failure is ours. */
async function done(child) {
  const [code] = await child.ended
  if (code !== 0) throw new Failure(`${child.spawnargs.slice(1).join(' ')} ended with ${code}: ${child.said}`)
}

/** Lines of words, about 60 bytes each, the same for a seed. */
function text(lines, seed) {
  let state = seed
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8
  return Array.from({ length: lines }, () => {
    return `${Array.from({ length: 6 + (next() % 9) }, () => WORDS[next() % WORDS.length]).join(' ')}\n`
  }).join('')
}

/** The files of a folder, each with the digest of its bytes. */
function contents(folder) {
  const digest = (name) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return JSON.stringify(
    readdirSync(folder)
      .sort()
      .map((name) => [name, digest(name)]),
  )
}

function same(folder, clean, what) {
  if (contents(folder) === contents(clean)) return
  throw new Failure(`${what}: ${readdirSync(folder).join(', ')} are not the files of one run (${folder})`)
}

/** Kills the command until it is done, again and again, until there were so many kills. */
async function killCommands(most, at) {
  const file = join(at, 'texts.txt')
  writeFileSync(file, text(TEXTS, 1))
  const args = (out) => ['embed', file, '--model', MODEL, '--out', out, '--shard-rows', '1500', '--quiet']
  const clean = join(at, 'clean')
  const begun = performance.now()
  await done(command(...args(clean)))
  const whole = performance.now() - begun
  let [kills, folders] = [0, 0]
  while (kills < most) {
    const folder = join(at, `killed-${folders++}`)
    for (;;) {
      const child = command(...args(folder), '--resume')
      const timer = setTimeout(() => child.kill('SIGKILL'), kills < most ? whole * (0.1 + Math.random()) : 2 ** 30)
      const [code, signal] = await child.ended
      clearTimeout(timer)
      if (signal === 'SIGKILL') kills++
      else if (code === 0) break
      else throw new Failure(`the command ended with ${code}: ${child.said}`)
    }
    same(folder, clean, `after ${kills} kills of the command`)
    rmSync(folder, { recursive: true })
  }
  console.log(`${kills} kills of the command: ${folders} folders, each with the bytes of one run`)
}

async function freePort() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Kills workers and their Redis until a queue is empty, again and again, until there were so many kills. */
async function killQueues(most, at) {
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const options = ['--bind', '127.0.0.1', '--dir', at, '--appendonly', 'yes', '--save', '']
  const serve = async () => {
    const child = start('redis-server', ['--port', String(port), ...options])
    while (spawnSync('redis-cli', ['-p', String(port), 'ping'], { encoding: 'utf8' }).stdout !== 'PONG\n')
      await sleep(20)
    return child
  }
  let redis = await serve()
  const file = join(at, 'queued.txt')
  writeFileSync(file, text(TEXTS, 2))
  const add = (out, name) =>
    command(
      'queue',
      'add',
      file,
      '--model',
      MODEL,
      '--out',
      out,
      '--shard-rows',
      '500',
      '--parts',
      '40',
      '--queue',
      name,
      '--server',
      url,
      '--quiet',
    )
  const work = (name) =>
    command(
      'queue',
      'work',
      '--model',
      MODEL,
      '--queue',
      name,
      '--server',
      url,
      '--lock',
      '2',
      '--stalled',
      '1',
      '--quiet',
    )
  const clean = join(at, 'queue-clean')
  await done(add(clean, 'clean'))
  await done(work('clean'))
  const counts = { workers: 0, redis: 0, folders: 0 }
  while (counts.workers + counts.redis < most) {
    const [folder, name] = [join(at, `queue-${counts.folders}`), `q${counts.folders++}`]
    await done(add(folder, name))
    let workers = [work(name), work(name)]
    while (!existsSync(join(folder, 'manifest.json'))) {
      await sleep(Math.random() * 1500)
      workers = workers.map((child) => ((child.exitCode ?? child.signalCode) === null ? child : work(name)))
      if (counts.workers + counts.redis >= most) continue
      if (Math.random() < 0.3) {
        redis.kill('SIGKILL')
        await redis.ended
        counts.redis++
        await sleep(Math.random() * 300)
        redis = await serve()
        // A queue that lost a job gets it again.
        await done(add(folder, name))
      } else {
        const [one] = workers
        if (one.kill('SIGKILL')) counts.workers++
        await one.ended
      }
    }
    for (const child of workers) child.kill('SIGKILL')
    await Promise.all(workers.map((child) => child.ended))
    // What a worker left that was killed at the end.
    await done(
      command(
        'embed',
        file,
        '--model',
        MODEL,
        '--out',
        folder,
        '--shard-rows',
        '500',
        '--shard',
        '0/40',
        '--resume',
        '--quiet',
      ),
    )
    same(folder, clean, `after ${counts.workers} kills of workers and ${counts.redis} of Redis`)
    rmSync(folder, { recursive: true })
  }
  redis.kill('SIGKILL')
  console.log(
    `${counts.workers} kills of workers and ${counts.redis} of Redis: ${counts.folders} folders, each with the bytes of one run`,
  )
}

/** Megabytes of resident memory of a process. */
function memoryOf({ pid }) {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1e3
  } catch {
    return 0
  }
}

/** Embeds a corpus of so many bytes. Returns the largest memory, and what is typical of its second half. */
async function embedded(bytes, settings, at) {
  const [file, out] = [join(at, 'large.txt'), join(at, 'large')]
  const part = Buffer.from(text(16_000, 3))
  const to = openSync(file, 'w')
  for (let written = 0; written < bytes; written += part.length) writeSync(to, part)
  closeSync(to)
  const begun = performance.now()
  const args = ['embed', file, '--model', MODEL, '--out', out, '--shard-rows', '1000000', '--quiet']
  const child = start(process.execPath, [PROGRAM, ...args], settings)
  const samples = []
  const timer = setInterval(() => samples.push(memoryOf(child)), 50)
  await done(child)
  clearInterval(timer)
  rmSync(file)
  rmSync(out, { recursive: true })
  const late = samples
    .filter((size) => size > 0)
    .slice(samples.length >> 1)
    .sort((a, b) => a - b)
  return { largest: Math.max(...samples), typical: late[late.length >> 1], seconds: (performance.now() - begun) / 1e3 }
}

async function compareMemory(gigabytes, settings, most, at) {
  const { bavail, bsize } = statfsSync(at)
  if (bavail * bsize < gigabytes * 4e9)
    throw new Failure(`${at} has no room for a corpus of ${gigabytes} GB and its vectors`)
  console.log(Object.keys(settings).length === 0 ? 'as it is:' : `with ${JSON.stringify(settings)}:`)
  const found = []
  for (const bytes of [100 * MB, gigabytes * 1000 * MB]) {
    const { largest, typical, seconds } = await embedded(bytes, settings, at)
    found.push(typical)
    console.log(
      `${bytes / MB} MB of text: ${typical.toFixed(0)} MB of memory, ${largest.toFixed(0)} at most, ${seconds.toFixed(0)} s`,
    )
  }
  const more = found[1] / found[0] - 1
  console.log(`memory of the larger one: ${more < 0 ? '' : '+'}${(100 * more).toFixed(1)} %`)
  if (more > most) throw new Failure('memory grows with the corpus')
}

async function main(args) {
  const number = (name, least) => Number(args.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1] ?? least)
  const chosen = args.filter((arg) => !arg.startsWith('--'))
  const isChosen = (name) => chosen.length === 0 || chosen.includes(name)
  if (process.platform !== 'linux') throw new Failure('memory is read from /proc: this runs on Linux')
  if (!existsSync(PROGRAM)) throw new Failure('nothing is built: npm run build')
  const at = mkdtempSync(join(tmpdir(), 'tokenbed-endurance-'))
  try {
    const kills = number('kills', 200)
    const hasRedis = spawnSync('redis-server', ['--version']).status === 0
    if (isChosen('kills')) {
      await killCommands(hasRedis ? Math.ceil(kills / 2) : kills, at)
      if (hasRedis) await killQueues(Math.floor(kills / 2), at)
      else console.log('NO REDIS-SERVER: workers of queues are not killed')
    }
    if (isChosen('memory')) {
      await compareMemory(number('gigabytes', 4), {}, MOST_MORE, at)
      await compareMemory(number('gigabytes', 4), SETTINGS, HELD, at)
    }
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

await runIfMain(import.meta, () => main(process.argv.slice(2)))
