// Runs scripts/setup on machines where programs exist, are missing or are too old. The programs are fakes that only
// print a version.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'

const root = join(__dirname, '../../..')
const posix = process.platform === 'win32' ? test.skip : test

/** Runs the script with these programs first in PATH. Each answers every call with one line. */
function setup(programs: Record<string, string>, ...options: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-setup-'))
  try {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    for (const [name, line] of Object.entries(programs)) {
      writeFileSync(join(bin, name), `#!/bin/sh\necho '${line}'\n`)
      chmodSync(join(bin, name), 0o755)
    }
    const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder, CARGO_HOME: folder }
    const { status, stderr } = spawnSync('/bin/sh', [join(root, 'scripts/setup'), ...options], {
      env,
      encoding: 'utf8',
    })
    return { status, said: stderr }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const complete = {
  node: '22.12.0',
  npm: '11.0.0',
  rustc: 'rustc 1.95.0 (59807616e 2026-04-14)',
  cargo: 'cargo 1.95.0',
  cc: 'cc 12',
}

posix('changes nothing where everything is there', (t) => {
  const { status, said } = setup(complete)
  t.is(status, 0)
  t.is(said, 'setup: Node 22.12.0 and Rust 1.95.0 are there; nothing to do\n')
})

posix('says which version is too old, and what it found', (t) => {
  const { status, said } = setup({ ...complete, node: '18.20.4', rustc: 'rustc 1.63.0 (1.63.0)' }, '--check')
  t.is(status, 1)
  t.regex(said, /missing: Node 20\.19 or later with npm \(found: 18\.20\.4\)/)
  t.regex(said, /missing: Rust 1\.89 or later \(found: 1\.63\.0\)/)
})

for (const [found, enough] of [
  ['20.18.3', false],
  ['20.19.0', true],
  ['20.9.0', false],
  ['21.0.0', true],
  ['100.0.0', true],
] as const) {
  posix(`compares versions by numbers: Node ${found}`, (t) => {
    t.is(setup({ ...complete, node: found }, '--check').status, enough ? 0 : 1)
  })
}

posix('rejects an unknown option', (t) => {
  const { status, said } = setup(complete, '--force')
  t.is(status, 2)
  t.regex(said, /unknown option --force/)
})
