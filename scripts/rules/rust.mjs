// What Rust source may hold.
import { relative } from 'node:path'
import { staleOptions } from '../options.mjs'
import { capture, root } from '../process.mjs'
import { projectFiles, read } from './files.mjs'

/**
 * Where `unsafe` may stand; the tests of files look at the bytes of a storage, zeroed memory that may be refused is the
 * allocator's own business, as are the allocators of tests that fail or count, and what makes faults looks at another process.
 */
const UNSAFE_ALLOWED = /^(crates\/kernels\/|crates\/memory\/src\/zeroed|crates\/core\/src\/storage|crates\/threads\/src\/pool|crates\/io\/tests\/common\/|crates\/testkit\/src\/memory|scripts\/faults\/|src\/node\/(borrow|buffers|external|failing_allocator))/
/** What the attributes of a function that Node calls must match: a panic that leaves it ends the process. */
const PANIC_GUARD = /catch_unwind/

const sources = () => projectFiles().filter((path) => path.endsWith('.rs'))

/** The code without comments and the insides of strings, its lines kept. */
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

/** Work for another thread: what it panics with must be caught there, in the whole of it. */
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

/** The workspace, and the crates of tests that are none of its members. */
function unformatted() {
  const others = projectFiles().filter((path) => /\/(fuzz|loom|faults)\/Cargo\.toml$/.test(path))
  return [['--all'], ...others.map((path) => ['--manifest-path', path])].flatMap(unformattedOf)
}

function unformattedOf(which) {
  const { ok, stdout, stderr } = capture(['cargo', 'fmt', ...which, '--check', '--', '-l'])
  if (ok) return []
  const files = stdout.trim().split('\n').filter(Boolean)
  return files.length > 0 ? [...new Set(files)].map((file) => relative(root, file)) : [stderr.trim()]
}

function lints() {
  const command = ['cargo', 'clippy', '--workspace', '--all-targets', '--message-format', 'short', '--', '-D', 'warnings']
  const { ok, stderr } = capture(command)
  if (ok) return []
  return stderr.split('\n').filter((line) => /\b(error|warning)\b/.test(line))
}

export const rustRules = [
  { name: 'unsafe stands only in kernels, storage, zeroed memory, the pool of threads and the borrowed buffers', offenders: strayUnsafe },
  { name: 'every function that Node calls catches panics', offenders: unguardedExports },
  { name: 'work on other threads catches panics', offenders: unguardedTasks },
  { name: 'Rust is formatted', offenders: unformatted },
  { name: 'clippy has nothing to say', offenders: lints },
  { name: 'what node scripts/options.mjs writes is up to date, as cargo knows it', offenders: staleOptions },
]
