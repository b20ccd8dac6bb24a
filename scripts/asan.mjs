// Runs the specs in Node with the addon under AddressSanitizer:
// npm run asan [-- dist/__test__/layers/bag.spec.js ...]
//
// Reads and writes out of bounds or after memory was freed are errors then, even if they hit other valid memory. It
// needs x86-64 Linux, a nightly Rust, and the run-time library of GCC, which comes with it, or of clang. Specs that
// measure memory or time, or start programs without the library, are left out.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root, runIfMain, tool } from './process.mjs'

const TARGET = 'x86_64-unknown-linux-gnu'
const TARGET_DIR = join(root, 'target/asan')
/** Specs that cannot pass under the sanitizer, and why. */
const LEFT_OUT = {
  'memory/memory.spec.js': 'measures memory',
  'text/stream-memory.spec.js': 'measures memory',
  'memory/synchronous.spec.js': 'measures memory',
  'project/documents.spec.js': 'starts a compiler and trains, which takes too long',
  'memory/huge.spec.js': 'takes what memory there is',
  'memory/process.spec.js': 'measures time and memory of processes',
  'memory/threads.spec.js': 'counts threads, and the sanitizer has its own',
  'cli/terminal.spec.js': 'starts a terminal',
  'pipelines/slurm.spec.js': 'its jobs run without the library',
  'cli/doctor.spec.js': 'looks at the libraries that are loaded',
}

/** The run-time library, in a version that this Rust's code works with. */
function library() {
  for (const [compiler, name] of [
    ['gcc', 'libasan.so'],
    ['clang', 'libclang_rt.asan-x86_64.so'],
  ]) {
    const { ok, stdout } = attempt([compiler, `-print-file-name=${name}`])
    if (ok && existsSync(stdout.trim())) return stdout.trim()
  }
  throw new Failure('the library of AddressSanitizer is missing: apt-get install --no-install-recommends gcc')
}

function attempt(command) {
  try {
    return capture(command)
  } catch {
    return { ok: false, stdout: '' }
  }
}

function addon() {
  const args = [
    '+nightly',
    'build',
    '--quiet',
    '--locked',
    '--package',
    'tokenbed-node',
    '--target',
    TARGET,
    '--target-dir',
    TARGET_DIR,
  ]
  const env = { ...process.env, RUSTFLAGS: '-Zsanitizer=address' }
  const { status, error } = spawnSync('cargo', args, { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (error || status !== 0)
    throw new Failure(
      'the addon could not be built with a nightly Rust: rustup toolchain install nightly --profile minimal',
    )
  const [from, to] = [join(TARGET_DIR, TARGET, 'debug/libtokenbed_node.so'), join(TARGET_DIR, 'tokenbed.node')]
  copyFileSync(from, to)
  return to
}

function specs() {
  const folder = join(root, 'dist/__test__')
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.spec.js') && !(name in LEFT_OUT))
    .map((name) => join('dist/__test__', name))
}

await runIfMain(import.meta, () => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Failure('the sanitizer is set up for x86-64 Linux alone')
  const preload = library()
  const env = {
    ...process.env,
    TOKENBED_BINARY: addon(),
    LD_PRELOAD: preload,
    // Memory that Node keeps until its end is not our leak, and a refused allocation is an error, not the end.
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=8192:abort_on_error=1',
  }
  const given = process.argv.slice(2)
  const [node, ava] = tool('ava', 'ava')
  const { status } = spawnSync(
    node,
    [ava, '--timeout=10m', '--concurrency=2', ...(given.length > 0 ? given : specs())],
    { cwd: root, env, stdio: 'inherit' },
  )
  if (status !== 0) throw new Failure('AddressSanitizer, or a spec, has something to say')
})
