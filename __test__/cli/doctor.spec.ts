import test from 'ava'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capabilities, selfTest } from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const PROGRAM = join(root, 'dist/cli/tokenbed.js')
const folder = temporaryFolder()

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** The command as npm installs it. */
function tokenbed(args: string[], env: Record<string, string> = {}, flags: string[] = []): Promise<Ended> {
  const { TOKENBED_ISA, TOKENBED_NUM_THREADS, TOKENBED_LIVE_DATA, TOKENBED_BINARY, NODE_OPTIONS, ...rest } = process.env
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, PROGRAM, ...args], { env: { ...rest, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

interface Report {
  ok: boolean
  host: Record<string, string | null>
  checks: { name: string; state: string; says: string; todo?: string }[]
  capabilities: { path: string; source: string; features: { name: string; available: boolean }[] } | null
  kernels: { op: string; isa: string; ok: boolean; digest: string }[]
}

async function report(env?: Record<string, string>, flags?: string[]): Promise<Report & { code: number }> {
  const { code, stdout, stderr } = await tokenbed(['doctor', '--json'], env, flags)
  if (stderr !== '') throw new Error(stderr)
  return { ...JSON.parse(stdout), code }
}

const check = ({ checks }: Report, name: string) => checks.find((one) => one.name === name)

test('a healthy machine passes every check', async (t) => {
  const found = await report()
  t.is(found.code, 0)
  t.true(found.ok)
  for (const name of ['binary', 'instructions', 'threads', 'memory', 'kernels', 'vocabularies', 'node'])
    t.is(check(found, name)?.state, 'ok', name)
  t.is(found.capabilities!.path, capabilities().path)
  t.regex(capabilities().path, /\.node$/)
  t.is(found.host.runtime, `Node ${process.versions.node}`)
  if (process.platform === 'linux') t.regex(found.host.libc!, /^(glibc 2\.\d+|musl)$/)
})

test('the text output lists the checks and says that everything works', async (t) => {
  const { code, stdout, stderr } = await tokenbed(['doctor'])
  t.is(code, 0)
  t.is(stderr, '')
  t.regex(stdout, /^tokenbed \d+\.\d+\.\d+\n.*\nok    binary +\/?.*\.node\n.*\nIt works\.\n$/s)
})

test('the self-test runs each op on each instruction set with the same digests', (t) => {
  const found = selfTest()
  const ops = [...new Set(found.map(({ op }) => op))]
  t.deepEqual(
    found.map(({ op, isa }) => `${op} ${isa}`),
    capabilities().detected.flatMap((isa) => ops.map((op) => `${op} ${isa}`)),
  )
  const scalar = new Map(found.filter(({ isa }) => isa === 'scalar').map(({ op, digest }) => [op, digest]))
  for (const { op, isa, ok, digest } of found) {
    t.true(ok, `${op} on ${isa}`)
    t.is(digest, scalar.get(op)!)
    t.regex(digest, /^[0-9a-f]{16}$/)
  }
})

test('a slower instruction set is a note, an unknown one a failure', async (t) => {
  const plain = await report({ TOKENBED_ISA: 'scalar' })
  t.deepEqual([plain.code, check(plain, 'instructions')?.state], [0, 'note'])
  const unknown = await report({ TOKENBED_ISA: 'avx9' })
  t.deepEqual(
    [unknown.code, unknown.ok, unknown.capabilities, check(unknown, 'start')?.state],
    [1, false, null, 'fail'],
  )
  t.true(check(unknown, 'start')!.todo!.includes('TOKENBED_ISA'))
})

test('settings of the environment are checked', async (t) => {
  const many = await report({ TOKENBED_NUM_THREADS: '1000' })
  t.deepEqual([many.code, check(many, 'threads')?.state], [0, 'note'])
  const none = await report({ TOKENBED_NUM_THREADS: 'x' })
  t.deepEqual([none.code, check(none, 'threads')?.state], [1, 'fail'])
  const copied = await report({ TOKENBED_LIVE_DATA: '0' })
  t.deepEqual([copied.code, check(copied, 'memory')?.state], [0, 'note'])
})

test('it says why the native part does not load, and what to do', async (t) => {
  const found = await report({}, ['--no-addons'])
  t.is(found.code, 1)
  const { state, says, todo } = check(found, 'binary')!
  t.is(state, 'fail')
  t.true(says.includes('--no-addons') && todo!.includes('--no-addons'))
  t.deepEqual([found.capabilities, found.kernels], [null, []])
  const words = await tokenbed(['doctor'], {}, ['--no-addons'])
  t.deepEqual([words.code, words.stderr], [1, ''])
  t.regex(words.stdout, /fail  binary[^]*\n +-> [^]*failed: do what the arrows say\.\n$/)
  t.deepEqual((await tokenbed(['doctor', '--nothing'], {}, ['--no-addons'])).code, 2)
  t.true((await tokenbed(['doctor', '--help'], {}, ['--no-addons'])).stdout.startsWith('Usage: tokenbed doctor'))
})

test('the other commands refer to the doctor if the native part does not load', async (t) => {
  const { code, stdout, stderr } = await tokenbed(['tokens', 'x'], {}, ['--no-addons'])
  t.deepEqual([code, stdout], [1, ''])
  t.regex(stderr, /^tokenbed: .*--no-addons[^]*tokenbed doctor/)
})

test('a file that is not a binary, and a binary for a newer system, are explained', async (t) => {
  const rubbish = join(folder, 'rubbish.node')
  writeFileSync(rubbish, 'rubbish')
  const found = await report({ TOKENBED_BINARY: rubbish })
  t.is(found.code, 1)
  t.true(check(found, 'binary')!.says.includes(rubbish))
  t.regex(check(found, 'binary')!.todo!, /TOKENBED_BINARY/)
  if (process.platform !== 'linux' || !(await report()).host.libc!.startsWith('glibc')) return
  const newer = join(folder, 'newer.node')
  const bytes = readFileSync(capabilities().path)
  // The name of the newest glibc version that the binary needs, in its string table.
  const names = [...bytes.toString('latin1').matchAll(/GLIBC_2\.\d\d\0/g)]
  const at = names.reduce((best, one) => (one[0] > best[0] ? one : best)).index
  bytes.write('GLIBC_2.99', at, 'latin1')
  writeFileSync(newer, bytes)
  const { says, todo } = check(await report({ TOKENBED_BINARY: newer }), 'binary')!
  t.true(says.includes('needs a newer glibc') && says.includes('glibc 2.99 or later'), says)
  t.regex(todo!, /npm run build/)
})

test('TOKENBED_BINARY names the file that is loaded', async (t) => {
  const { capabilities: found } = await report({ TOKENBED_BINARY: capabilities().path })
  t.deepEqual([found!.source, found!.path], ['environment', capabilities().path])
})

test('the help text', async (t) => {
  const { code, stdout } = await tokenbed(['doctor', '--help'])
  t.is(code, 0)
  t.snapshot(stdout)
})
