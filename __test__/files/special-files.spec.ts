// Paths that are not regular files. Every reader says so at once; none waits or fills the memory.

import test, { type ExecutionContext } from 'ava'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { AbortedError, streamIds, Tokenizer, Trainer } from '../../index.js'
import { command, ended, PROGRAM } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const isUnix = process.platform !== 'win32'
/** Seconds within which all readers of one path must end. Starting the process takes most of it. */
const LIMIT = 60

interface Said {
  name: string
  ended?: string
  kind?: string
  code?: string
  message?: string
  path?: string
}

/** What each reader says about a path, run in a process of its own with a time limit. */
function readAll(
  path: string,
  which: 'whole' | 'all',
  uid?: number,
): Promise<{ said: Said[]; signal: NodeJS.Signals | null; stderr: string }> {
  const folder = mkdtempSync(join(base, 'r-'))
  if (uid !== undefined) chmodSync(base, 0o755)
  if (uid !== undefined) chmodSync(folder, 0o777)
  const child = spawn(process.execPath, [join(__dirname, '../lifetime/special-files.js'), path, folder, which], {
    timeout: LIMIT * 1e3,
    killSignal: 'SIGKILL',
    uid,
    gid: uid,
  })
  let [out, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, signal) =>
      resolve({
        said: out
          .trim()
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
        signal,
        stderr,
      }),
    )
  })
}

const WHOLE = [
  'Tokenizer.fromFile',
  'Tokenizer.fromGGUF',
  'loadFastText',
  'loadGGUF',
  'loadWord2Vec',
  'loadGlove',
  'loadSafetensors',
  'verify',
  'loadNpy',
  'Trainer.resume',
  'model.json',
  'model.safetensors',
  'vocab.txt',
  'tokenizer.json',
  'saveModel',
]
const STREAMS = ['streamIds', 'streamBatches', 'words', 'lines', 'ids']

async function refused(
  t: ExecutionContext,
  path: string,
  why: RegExp,
  which: 'whole' | 'all' = 'all',
  uid?: number,
): Promise<void> {
  const { said, signal, stderr } = await readAll(path, which, uid)
  t.is(signal, null, `after ${said.at(-1)?.name}: nothing for ${LIMIT} s`)
  t.deepEqual(
    said.map(({ name }) => name),
    which === 'all' ? [...WHOLE, ...STREAMS] : WHOLE,
    stderr,
  )
  for (const { name, kind, code, message = '', path: named = '' } of said) {
    t.deepEqual([kind, code], ['FileError', 'FILE'], `${name}: ${message}`)
    t.regex(message, why, name)
    // If a file is missing in a folder, the message names the folder.
    t.true(named !== '' && (message.includes(named) || message.includes(dirname(named))), `${name}: ${message}`)
  }
}

if (isUnix) {
  test('rejects a pipe', async (t) => {
    const path = join(base, 'pipe')
    t.is(spawnSync('mkfifo', [path]).status, 0)
    await refused(t, path, /it is a pipe, and not a regular file/, 'whole')
  })

  test('rejects an endless device', async (t) => {
    await refused(t, '/dev/zero', /it is a device, and not a regular file/)
  })

  test('rejects a socket', async (t) => {
    // The paths of sockets must be short.
    const path = join(mkdtempSync(join(tmpdir(), 'tb-')), 's')
    const server = createServer().listen(path)
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      await refused(t, path, /it is a socket, and not a regular file/)
    } finally {
      server.close()
    }
  })

  test('rejects a dangling link', async (t) => {
    const path = join(base, 'dangling')
    symlinkSync(join(base, 'nowhere'), path)
    await refused(t, path, /no such file|has no /i)
  })

  test('rejects a file without read permission', async (t) => {
    const path = join(base, 'secret')
    writeFileSync(path, 'x')
    chmodSync(path, 0)
    // Root may read everything.
    const uid = process.getuid!() === 0 ? 65_534 : undefined
    if (
      uid !== undefined &&
      spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), '--version'], { uid, gid: uid }).status !== 0
    ) {
      t.log('nobody cannot run what is here: skipped')
      return t.pass()
    }
    await refused(t, path, /permission denied/i, 'all', uid)
  })

  test('a system file without a size is read or gives a typed error', async (t) => {
    const { said } = await readAll('/proc/self/status', 'whole')
    if (process.platform === 'linux')
      for (const { name, code, message } of said) t.true(['FILE', 'FORMAT'].includes(code!), `${name}: ${message}`)
    t.pass()
  })
}

test('rejects a folder', async (t) => {
  const path = join(base, 'folder')
  mkdirSync(path)
  if (isUnix) return refused(t, path, /is a (directory|folder)/i)
  const { said } = await readAll(path, 'whole')
  for (const { name, code, message } of said) t.is(code, 'FILE', `${name}: ${message}`)
})

const lines: [string[], RegExp][] = [
  [['tokens', 'PATH'], /PATH: /],
  [['embed', 'PATH', '--out', 'OUT.npy'], /PATH/],
  [['embed', '--tokenizer', 'PATH', '--out', 'OUT.npy', '-'], /PATH/],
  [['inspect', 'PATH'], /PATH/],
  [['inspect', 'PATH', '--verify'], /PATH/],
  [['neighbors', 'PATH', 'a'], /PATH/],
  [['train', 'PATH', '--objective', 'cbow', '--out', 'OUT'], /PATH/],
]
for (const [args, says] of isUnix ? lines : []) {
  test(`the command: ${args.join(' ')}`, async (t) => {
    const folder = mkdtempSync(join(base, 'c-'))
    const given = args.map((arg) => arg.replace('PATH', '/dev/zero').replace('OUT', join(folder, 'out')))
    const child = spawn(process.execPath, [PROGRAM, ...given], { timeout: LIMIT * 1e3, killSignal: 'SIGKILL' })
    child.stdin.on('error', () => {}).end()
    const { code, stderr } = await ended(child)
    t.is(code, 1, stderr)
    t.regex(stderr, new RegExp(says.source.replace('PATH', '/dev/zero')))
    t.regex(stderr, /^tokenbed: [^\n]*it is a device[^\n]*\n$/)
  })
}

if (isUnix) {
  test('a text is read from a pipe while other work goes on', async (t) => {
    const path = join(base, 'text')
    t.is(spawnSync('mkfifo', [path]).status, 0)
    const tokenizer = Tokenizer.load('gpt2')
    const ids: number[] = []
    const reading = (async () => {
      for await (const part of streamIds({ files: [path] }, { tokenizer })) ids.push(...part)
    })()
    // Nothing is written before other work was done.
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 5))
    const writer = spawn('sh', ['-c', `exec 3> "$0"; printf 'Hel' >&3; sleep 0.2; printf 'lo, ' >&3`, path])
    await reading
    t.deepEqual(ids, [...tokenizer.encode('Hello, ')])
    writer.kill()
  })

  test('the command reads the pipe that the shell makes of <(command)', async (t) => {
    for (const args of ["tokens --ids <(printf 'Hello')", 'embed --quiet --json --out "$2" <(printf \'Hello\')']) {
      const { stdout, code, stderr } = await ended(
        spawn('bash', ['-c', `"$0" "$1" ${args}`, process.execPath, PROGRAM, join(base, 'piped.npy')]),
      )
      t.is(code, 0, stderr)
      if (args.startsWith('tokens')) t.is(stdout, '15496\n')
      else t.is(JSON.parse(stdout).tokens, 1)
    }
  })

  test('a process that waits for a pipe without a writer can end', async (t) => {
    const path = join(base, 'never')
    t.is(spawnSync('mkfifo', [path]).status, 0)
    const script = `const { streamIds, Tokenizer } = require(${JSON.stringify(join(root, 'dist/index.js'))})
      const ids = streamIds({ files: [${JSON.stringify(path)}] }, { tokenizer: Tokenizer.load('gpt2') })
      ids[Symbol.asyncIterator]().next()
      setTimeout(() => process.exit(7), 200)`
    t.is(
      (await ended(spawn(process.execPath, ['-e', script], { timeout: LIMIT * 1e3, killSignal: 'SIGKILL' }))).code,
      7,
    )
  })

  test('work that waits for a pipe without a writer can be aborted', async (t) => {
    const path = join(base, 'never too')
    t.is(spawnSync('mkfifo', [path]).status, 0)
    const tokenizer = Tokenizer.load('gpt2')
    const controller = new AbortController()
    const { signal } = controller
    const waiting = [
      ...[1, 2, 3, 4, 5].map(() =>
        streamIds({ files: [path] }, { tokenizer, signal })
          [Symbol.asyncIterator]()
          .next(),
      ),
      new Trainer({ files: [path] }, { objective: 'skip-gram' }).run({ signal }),
      new Trainer({ files: [path] }, { objective: 'next-token', tokenizer }).run({ signal }),
    ]
    const outcomes = Promise.allSettled(waiting)
    // More readers wait than Node has threads, so no thread was lost.
    await readFile(__filename)
    controller.abort()
    for (const outcome of await outcomes)
      t.true(outcome.status === 'rejected' && outcome.reason instanceof AbortedError, inspect(outcome))
  })

  test('a corpus can be read from a pipe', async (t) => {
    const path = join(base, 'corpus')
    t.is(spawnSync('mkfifo', [path]).status, 0)
    const text = 'the cat sat on the mat the dog sat on the log '.repeat(40)
    const writer = spawn('sh', ['-c', 'printf "$1" > "$0"; exit', path, text])
    const { tensors } = await new Trainer({ files: [path] }, { objective: 'skip-gram', dim: 4, epochs: 1 }).run()
    const file = join(base, 'corpus.txt')
    writeFileSync(file, text)
    const whole = await new Trainer({ files: [file] }, { objective: 'skip-gram', dim: 4, epochs: 1 }).run()
    t.deepEqual(tensors['token.weight'].toArray(), whole.tensors['token.weight'].toArray())
    writer.kill()
  })
}

test('standard input can be read', async (t) => {
  const { stdout, code } = await command(['tokens', '-', '--ids'], { input: 'Hello' })
  t.deepEqual([code, stdout], [0, '15496\n'])
})
