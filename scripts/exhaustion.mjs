// Refuses every request for memory in turn: node scripts/exhaustion.mjs [--no-build] [scenario ...]
//
// The addon is built with an allocator that can be told to refuse, and the scenarios of
// __test__/lifetime/exhausted.ts run with it, each in a process of its own. A process that ends is a failure, unless
// it is listed here.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, runIfMain } from './process.mjs'

const BUILT = { linux: 'libtokenbed_node.so', darwin: 'libtokenbed_node.dylib', win32: 'tokenbed_node.dll' }
const BINARY = join(root, 'target/failing/tokenbed.node')
const SCRIPT = join(root, 'dist/__test__/lifetime/exhausted.js')

/**
 * Crates of others that end the process when a request is refused, and what bounds their requests. SECURITY.md says
 * it, too.
 */
const OTHERS = {
  matrixmultiply: 'blocks of its own, of at most 2 MB a thread',
  nalgebra: 'matrices of dim by dim; that there is memory was asked just before',
  tokenizers: 'the text, or the tokenizer.json, that it is given',
  serde_json: 'the header, or the tokenizer.json, that it reads',
  safetensors: 'the header that it reads',
  'fancy-regex': 'the pattern that it is given',
  'regex-automata': 'the pattern that it is given',
  'aho-corasick': 'the added tokens of a tokenizer.json',
  'compact_str': 'the text that it is given',
  hashbrown: 'the vocabulary of a tokenizer.json',
  flate2: 'a window of 32 KB',
  ruzstd: 'the window of a frame',
  napi: 'the list of strings that it is given',
}
/** Buffers of 8 KB to 1 MB in the standard library. Whether there is memory for them was checked just before. */
const BUFFERS = /std\/src\/io\/buffered/

/** Exports that no scenario calls, and why. */
const NOT_CALLED = {
  allocatorArm: 'of this test',
  allocatorLeft: 'of this test',
  kernelsSelfTest: 'its sizes are its own',
  panicOnPurpose: 'a panic',
  panicElsewhere: 'a panic',
  panickingWork: 'a panic',
  processToken: 'a few bytes',
  encodingNames: 'a few names',
  storageOpen: 'of another thread; it takes a number',
  trainerStop: 'a flag',
  workStop: 'a flag',
  workDone: 'a number',
  workEnd: 'a flag, when the process ends',
  processLeaves: 'a flag, when the process ends',
  startedThreads: 'a number',
  externalMemory: 'a number',
  externalRelease: 'it gives memory back',
  nativeUsage: 'a few numbers',
  folderTidy: 'a path',
}

export function buildFailing() {
  run(['cargo', 'build', '--features', 'failing-allocator'])
  mkdirSync(join(root, 'target/failing'), { recursive: true })
  copyFileSync(join(root, 'target/debug', BUILT[process.platform]), BINARY)
}

const lines = (stdout) =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

function child(args) {
  const options = {
    env: { ...process.env, TOKENBED_BINARY: BINARY, TOKENBED_NUM_THREADS: '2', RUST_BACKTRACE: '1' },
    maxBuffer: 2 ** 26,
    timeout: 120_000,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], options, (error, stdout, stderr) =>
      resolve({ ok: error === null, said: lines(stdout), stderr }),
    )
  })
}

/** Whether other people's code made the request that was refused, by the first frame that is not Rust's own. */
function isOthers(stderr) {
  const frames = [...stderr.matchAll(/^ +at (.+?):\d+/gm)].map(([, path]) => path)
  const at = frames.findIndex((path) => !path.startsWith('/rustc/'))
  const crate = frames[at]?.match(/\/registry\/src\/[^/]+\/(.+?)-\d/)?.[1]
  return crate === undefined ? frames.slice(0, at).some((path) => BUFFERS.test(path)) : crate in OTHERS
}

/** The failures of a scenario, and the exports that it called. */
async function scenario(name) {
  const [failed, start] = [[], performance.now()]
  const ended = (rest) => ({ name, failed, crashes, seconds: (performance.now() - start) / 1e3, ...rest })
  let crashes = 0
  for (let first = 1; ;) {
    const { ok, said, stderr } = await child([name, String(first)])
    const last = said.at(-1)
    if (ok) return ended({ called: last.called, requests: said.at(-2).request - 1 })
    const request = last?.request
    const isCrash = /memory allocation of \d+ bytes failed/.test(stderr)
    if (!isCrash || !isOthers(stderr))
      failed.push(`${name}, request ${request ?? 'none'}: ${stderr.trim().split('\n').slice(0, 40).join('\n    ')}`)
    if (request === undefined || !isCrash) return ended({ called: [], requests: request ?? 0 })
    crashes++
    first = request + 1
  }
}

function show({ name, requests, crashes, failed, seconds }) {
  const others = crashes > 0 ? `, ${crashes} in the code of others` : ''
  console.log(
    `${failed.length === 0 ? 'ok  ' : 'FAIL'} ${name}: ${requests} requests refused${others}, ${seconds.toFixed(1)} s`,
  )
}

/** @param build Whether to build the addon first. */
export async function exhaust(names = [], build = true) {
  if (build) buildFailing()
  const [{ scenarios, exported }] = (await child([])).said
  const wanted = names.length > 0 ? names : scenarios
  const results = []
  const queue = [...wanted]
  await Promise.all(
    Array.from({ length: 2 }, async () => {
      while (queue.length > 0) {
        const result = await scenario(queue.shift())
        results.push(result)
        show(result)
      }
    }),
  )
  const failed = results.flatMap((result) => result.failed)
  if (names.length === 0) {
    const called = new Set(results.flatMap((result) => result.called))
    const missing = exported.filter((name) => /^[a-z]/.test(name) && !called.has(name) && !(name in NOT_CALLED))
    if (missing.length > 0) failed.push(`no scenario calls ${missing.join(', ')}`)
  }
  for (const line of failed) console.log(`  ${line}`)
  return { passed: results.length, failed: failed.length, names: failed.map((line) => line.split('\n')[0]) }
}

await runIfMain(import.meta, async () => {
  const names = process.argv.slice(2).filter((name) => name !== '--no-build')
  const { failed } = await exhaust(names, !process.argv.includes('--no-build'))
  if (failed > 0) process.exitCode = 1
})
