// Rules for Rust source.
import { relative } from 'node:path'
import { rustTrees } from '../format.mjs'
import { staleOptions } from '../options.mjs'
import { capture, root } from '../process.mjs'
import { projectFiles, read } from './files.mjs'
import { kernelRules } from './kernels.mjs'

/**
 * The files that may use `unsafe`. Tests of files look at the bytes of a storage. Zeroed memory that may be refused
 * comes from the allocator itself, which is also asked to give back what was freed, and some tests have allocators of
 * their own that fail or count. The program that makes faults reads and writes another process.
 */
const UNSAFE_ALLOWED =
  /^(crates\/kernels\/|crates\/memory\/src\/(trim|zeroed)|crates\/core\/src\/storage|crates\/threads\/src\/pool|crates\/io\/tests\/common\/|crates\/testkit\/src\/memory|scripts\/faults\/|src\/node\/(borrow|buffers|external|failing_allocator))/
/**
 * The attributes of a function that Node calls must match this, because a panic that leaves the function ends the
 * process.
 */
const PANIC_GUARD = /catch_unwind/

const sources = () => projectFiles().filter((path) => path.endsWith('.rs'))

/** The code without comments and without the contents of strings; line numbers stay the same. */
function codeOf(path) {
  const skipped = /\/\/.*|\/\*[\s\S]*?\*\/|b?r(#*)"[\s\S]*?"\1|b?"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\\n]|\\[^\n]+?)'/g
  return read(path).replace(skipped, (text) => text.replace(/[^\n]/g, ' '))
}

function strayUnsafe() {
  return sources()
    .filter((path) => !UNSAFE_ALLOWED.test(path))
    .flatMap((path) => linesWhere(codeOf(path), /\bunsafe\b/g).map((line) => `${path}:${line}`))
}

function linesWhere(code, pattern) {
  return [...code.matchAll(pattern)].map(({ index }) => code.slice(0, index).split('\n').length)
}

/** Functions exported with #[napi] whose attributes do not catch panics. */
function unguardedExports() {
  const withAttributes = /((?:#\[[^\]]*\]\s*)+)(?:pub(?:\([a-z]+\))?\s+)?(?:async\s+)?(?:unsafe\s+)?fn\s+(\w+)/g
  return sources()
    .filter((path) => path.startsWith('src/'))
    .flatMap((path) =>
      [...codeOf(path).matchAll(withAttributes)]
        .filter(([, attributes]) => /#\[napi\b/.test(attributes) && !PANIC_GUARD.test(attributes))
        .map(([, , name]) => `${path}: ${name}`),
    )
}

/** Tasks for other threads whose body does not catch panics as a whole. */
function unguardedTasks() {
  const work = /fn\s+compute\s*\(&mut self\)[^{]*\{\s*(.{0,20})/g
  return sources()
    .filter((path) => path.startsWith('src/'))
    .flatMap((path) =>
      [...codeOf(path).matchAll(work)]
        .filter(([, body]) => !/^Ok\(\s*caught\(/.test(body))
        .map(({ index }) => `${path}:${codeOf(path).slice(0, index).split('\n').length}`),
    )
}

const unformatted = () => rustTrees().flatMap(unformattedOf)

function unformattedOf(which) {
  const { ok, stdout, stderr } = capture(['cargo', 'fmt', ...which, '--check', '--', '-l'])
  if (ok) return []
  const files = stdout.trim().split('\n').filter(Boolean)
  return files.length > 0 ? [...new Set(files)].map((file) => relative(root, file)) : [stderr.trim()]
}

function lints() {
  const command = [
    'cargo',
    'clippy',
    '--workspace',
    '--all-targets',
    '--message-format',
    'short',
    '--',
    '-D',
    'warnings',
  ]
  const { ok, stderr } = capture(command)
  if (ok) return []
  return stderr.split('\n').filter((line) => /\b(error|warning)\b/.test(line))
}

export const rustRules = [
  {
    name: 'only kernels, storage, zeroed memory, the thread pool and borrowed buffers use unsafe',
    offenders: strayUnsafe,
  },
  { name: 'every function that Node calls catches panics', offenders: unguardedExports },
  { name: 'tasks for other threads catch panics', offenders: unguardedTasks },
  ...kernelRules,
  { name: 'Rust is formatted', offenders: unformatted },
  { name: 'clippy reports nothing', offenders: lints },
  { name: 'the output of node scripts/options.mjs is up to date', offenders: staleOptions },
]
