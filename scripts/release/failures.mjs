// Breaks an installation in each possible way and checks what its user is told. This happens in a folder where the
// packages are installed; one thing is broken at a time, and mended again.
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaryName, readJson } from './stage.mjs'
import { start } from './user.mjs'

/** Prints what a program that catches the error sees. */
const PROGRAM = `
try {
  require('tokenbed')
  console.log('{}')
} catch (error) {
  const { name, code, reason, message, found, needed, mend, cause } = error
  console.log(JSON.stringify({ name, code, reason, message, found, needed, mend, cause: cause && { code: cause.code, message: cause.message } }))
}
`
/** Preloaded code that makes the process believe that it is on another machine. */
const ELSEWHERE = "Object.defineProperty(process, 'arch', { value: 'riscv64' })"
/**
 * Preloaded code that makes the process believe that musl loaded it, by an ELF file with that one entry, far from its
 * head.
 */
const ON_MUSL = `
const { writeFileSync } = require('node:fs')
const head = Buffer.alloc(8192)
head.write('\\x7fELF\\x02\\x01', 0, 'latin1')
head.writeBigUInt64LE(64n, 32)
head.writeUInt16LE(56, 54)
head.writeUInt16LE(1, 56)
head.writeUInt32LE(3, 64)
head.writeBigUInt64LE(5000n, 72)
head.writeBigUInt64LE(26n, 96)
head.write('/lib/ld-musl-x86_64.so.1', 5000, 'latin1')
writeFileSync(__dirname + '/musl-program', head)
process.execPath = __dirname + '/musl-program'
`

/** A check for each failure that this runtime can meet. `home` has the packages, before and afterwards. */
export function failures(runtime, home, platform) {
  const name = `tokenbed-${platform}`
  const folder = join(home, 'node_modules', name)
  const kept = join(home, 'kept')
  const { version } = readJson(join(home, 'node_modules/tokenbed/package.json'))
  writeFileSync(join(home, 'caught.cjs'), PROGRAM)
  writeFileSync(join(home, 'elsewhere.cjs'), ELSEWHERE)
  writeFileSync(join(home, 'on-musl.cjs'), ON_MUSL)
  const binary = join(folder, binaryName(platform))
  const isGlibc = /^linux-.*-gnu$/.test(platform)
  const isNode = runtime.kind === 'node'
  const [add, again] =
    runtime.kind === 'bun'
      ? ['bun add --optional', 'bun install --force']
      : ['npm install --save-optional', '&& npm install']
  const cases = [
    {
      what: 'the package of the platform is missing',
      reason: 'missing',
      parts: [name, version, add],
      cause: /Cannot find module/,
      change: () => rmSync(folder, { recursive: true }),
    },
    {
      what: 'that of another platform is there instead',
      reason: 'missing',
      parts: ['tokenbed-darwin-x64', 'another platform'],
      cause: /Cannot find module/,
      change: () => moved(folder, home, 'darwin-x64'),
    },
    {
      what: 'it is of another version',
      reason: 'version',
      parts: [`${name} 0.0.9`, `${add} ${name}@${version}`],
      change: () => rewritten(folder, '0.0.9'),
    },
    {
      what: 'the binary inside is of another version',
      reason: 'version',
      parts: ['99.0.0', version, again],
      change: () => rewritten(join(home, 'node_modules/tokenbed'), '99.0.0') || rewritten(folder, '99.0.0'),
    },
    { what: 'Node loads no addons', reason: 'disabled', parts: ['--no-addons'], cause: /./, flags: ['--no-addons'] },
    {
      what: 'the file is cut short',
      reason: 'refused',
      parts: [binary, again],
      cause: /./,
      change: () => writeFileSync(binary, readFileSync(binary).subarray(0, 50)),
    },
    {
      what: 'there is no such platform',
      reason: 'unsupported',
      parts: ['riscv64', 'linux-x64-gnu', 'npm run build'],
      flags: ['--require', './elsewhere.cjs'],
    },
    ...(isGlibc
      ? [
          {
            what: 'the binary wants a newer glibc',
            reason: 'glibc',
            parts: ['glibc 2.99', 'GLIBC_2.99', 'npm run build'],
            cause: /GLIBC_2\.99/,
            change: () => wantNewerGlibc(binary),
          },
          {
            what: 'on musl, with the package for glibc',
            reason: 'missing',
            parts: [`tokenbed-linux-${process.arch}-musl`, name],
            cause: /Cannot find module/,
            flags: ['--require', './on-musl.cjs'],
          },
        ]
      : []),
  ]
  // Only Node has these flags.
  return cases
    .filter(({ flags }) => isNode || flags === undefined)
    .map((one) => {
      cpSync(join(home, 'node_modules'), kept, { recursive: true })
      try {
        one.change?.()
        const caught = start(runtime, home, ['caught.cjs'], { flags: one.flags })
        const told =
          caught.code === 0 ? wrongIn(JSON.parse(caught.stdout), one) : [`ended with ${caught.code}: ${caught.stderr}`]
        const doctor = start(runtime, home, ['node_modules/tokenbed/dist/cli/tokenbed.js', 'doctor'], {
          flags: one.flags,
        })
        if (doctor.code !== 1 || !doctor.stdout.includes('-> '))
          told.push(`the doctor: ${doctor.code} ${doctor.stdout}${doctor.stderr}`)
        for (const line of told) console.log(`       ${line}`)
        return { name: `${runtime.name}: ${one.what}`, ok: told.length === 0 }
      } finally {
        rmSync(join(home, 'node_modules'), { recursive: true })
        renameSync(kept, join(home, 'node_modules'))
      }
    })
}

/** Deno without the permission to load native code. */
export function notAllowed(runtime, home) {
  writeFileSync(join(home, 'caught.cjs'), PROGRAM)
  const { code, stdout, stderr } = start(runtime, home, ['caught.cjs'], { flags: ['--deny-ffi'] })
  const told =
    code === 0
      ? wrongIn(JSON.parse(stdout), { reason: 'disabled', parts: ['--allow-ffi'], cause: /./ })
      : [`ended with ${code}: ${stderr}`]
  for (const line of told) console.log(`       ${line}`)
  return { name: `${runtime.name}: native code is not allowed`, ok: told.length === 0 }
}

function wrongIn(error, { reason, parts, cause }) {
  const wrong = []
  if (error.name !== 'BinaryError' || error.code !== 'BINARY') wrong.push(`not a BinaryError: ${JSON.stringify(error)}`)
  if (error.reason !== reason) wrong.push(`reason ${error.reason}, not ${reason}: ${error.message}`)
  for (const part of [
    ...parts,
    error.found,
    error.needed,
    error.mend,
    process.arch === 'x64' && reason === 'unsupported' ? 'riscv64' : process.arch,
  ]) {
    if (!part || !error.message?.includes(part)) wrong.push(`"${error.message}" does not say "${part}"`)
  }
  if (cause !== undefined && !cause.test(error.cause?.message))
    wrong.push(`the cause is ${JSON.stringify(error.cause)}`)
  return wrong
}

function moved(folder, home, platform) {
  const to = join(home, 'node_modules', `tokenbed-${platform}`)
  renameSync(folder, to)
}

function rewritten(folder, version) {
  const path = join(folder, 'package.json')
  writeFileSync(path, JSON.stringify({ ...readJson(path), version }))
}

/** Changes the newest glibc version that the binary needs to one that does not exist. */
function wantNewerGlibc(binary) {
  const bytes = readFileSync(binary)
  const names = [...bytes.toString('latin1').matchAll(/GLIBC_2\.\d\d\0/g)]
  const newest = names.reduce((best, one) => (one[0] > best[0] ? one : best))
  bytes.write('GLIBC_2.99', newest.index, 'latin1')
  writeFileSync(binary, bytes)
}
