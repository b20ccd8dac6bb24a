// Installs the packages from a registry with npm, pnpm, Yarn and Bun, as users do: node scripts/release/managers.mjs
//
// Yarn does so with and without Plug'n'Play. A program is run each time. Then the installation is broken, and the
// command that the error names must mend it.
//
// The registry is on this machine (registry.mjs). It has every platform's package, with an empty file in place of
// each binary that is missing here, so that each package manager must choose.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { count, show } from '../checks.mjs'
import { Failure, root, runIfMain } from '../process.mjs'
import { binaries, packAll } from './pack.mjs'
import { serve } from './registry.mjs'
import { bun, fetched } from './runtimes.mjs'
import { binaryName, platforms } from './stage.mjs'
import { npmProgram } from './user.mjs'

const PROGRAM = `
const { Embedding, Tokenizer, capabilities } = require('tokenbed')
const { source, path } = capabilities()
const ids = Tokenizer.load('gpt2').encode('Hello, world!')
console.log(JSON.stringify({ ids: [...ids], shape: new Embedding(50257, 4).forward(ids).shape, source, path }))
`
/** Prints the command that mends the installation. */
const MEND = `
try {
  require('tokenbed')
} catch ({ code, reason, mend }) {
  console.log(JSON.stringify({ code, reason, mend }))
}`
const node = process.execPath

/**
 * For each manager: how it installs, how a program is run, what in the lock file must name every platform, and the
 * command's name.
 */
function managers() {
  const yarn = fetched('@yarnpkg/cli-dist@4.18.1', 'bin/yarn.js')
  const pnpm = fetched('pnpm@10.34.8', 'bin/pnpm.cjs')
  const yarnSettings = (linker) => (address) => ({
    '.yarnrc.yml': `npmRegistryServer: "${address}"\nunsafeHttpWhitelist: ["127.0.0.1"]\nnodeLinker: ${linker}\nenableTelemetry: false\nenableGlobalCache: false\nnpmMinimalAgeGate: 0\n`,
    'yarn.lock': '',
  })
  const npmrc = (address) => ({
    '.npmrc': `registry=${address}\ncache=\${PWD}/.cache\nstore-dir=.store\naudit=false\nfund=false\n`,
  })
  const found = [
    {
      name: 'npm',
      settings: npmrc,
      install: [node, npmProgram(), 'install', 'tokenbed'],
      again: [node, npmProgram(), 'ci'],
      run: [node],
      lock: 'package-lock.json',
      command: 'npm',
    },
    {
      name: 'pnpm',
      settings: npmrc,
      install: [node, pnpm, 'add', 'tokenbed'],
      again: [node, pnpm, 'install', '--frozen-lockfile'],
      run: [node],
      lock: 'pnpm-lock.yaml',
      command: 'pnpm',
    },
    {
      name: 'Yarn',
      settings: yarnSettings('node-modules'),
      install: [node, yarn, 'add', 'tokenbed'],
      again: [node, yarn, 'install', '--immutable'],
      run: [node],
      lock: 'yarn.lock',
      command: 'yarn',
    },
    {
      name: "Yarn Plug'n'Play",
      settings: yarnSettings('pnp'),
      install: [node, yarn, 'add', 'tokenbed'],
      again: [node, yarn, 'install', '--immutable'],
      run: [node, yarn, 'node'],
      lock: 'yarn.lock',
      command: 'yarn',
    },
  ]
  const { program } = bun() ?? {}
  if (program)
    found.push({
      name: 'Bun',
      settings: (address) => ({ 'bunfig.toml': `[install]\nregistry = "${address}"\ncache = ".cache"\n` }),
      install: [program, 'add', 'tokenbed'],
      again: [program, 'install', '--frozen-lockfile'],
      run: [program],
      lock: 'bun.lock',
      command: 'bun',
    })
  return found
}

function check({ name, settings, install, again, run, lock, command }, address, folder) {
  const home = join(folder, name.replace(/\W/g, '-'))
  mkdirSync(home)
  const path = shim(home, command, install.slice(0, install.indexOf(command === 'npm' ? 'install' : 'add')))
  const files = {
    'package.json': '{ "name": "user", "private": true }',
    'program.cjs': PROGRAM,
    'mend.cjs': MEND,
    ...settings(address),
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(home, file), text)
  const must = (command) => {
    const [program, ...args] = command
    const env = {
      ...Object.fromEntries(
        Object.entries(process.env).filter(([key]) => !/^(npm_|TOKENBED_|NODE_OPTIONS|CI$)/i.test(key)),
      ),
      PWD: home,
      HOME: home,
      PATH: `${path}:${process.env.PATH}`,
    }
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: home, encoding: 'utf8', env })
    if (status !== 0) throw new Failure(`${name}: ${args.slice(-3).join(' ')} ended with ${status}\n${stdout}${stderr}`)
    return stdout
  }
  const said = []
  try {
    must(install)
    must([...run, 'program.cjs'])
    // Installs from the lock file alone, which must name the packages of all platforms.
    const locked = platforms().filter(
      (platform) => !readFileSync(join(home, lock), 'utf8').includes(`tokenbed-${platform}`),
    )
    if (locked.length > 0) said.push(`${lock} lacks ${locked.join(', ')}`)
    for (const made of ['node_modules', '.pnp.cjs']) rmSync(join(home, made), { recursive: true, force: true })
    must(again)
    const { ids, shape, source } = JSON.parse(must([...run, 'program.cjs']))
    if (ids.join() !== '15496,11,995,0' || shape.join() !== '4,4' || source !== 'package')
      said.push(`it printed ${JSON.stringify({ ids, shape, source })}`)
    const others = existsSync(join(home, 'node_modules'))
      ? readdirSync(realpathSync(join(home, 'node_modules'))).filter((each) => /^tokenbed-/.test(each))
      : []
    if (others.length > 1) said.push(`binaries of more than one platform: ${others.join(', ')}`)
    for (const { how, reason, change } of BREAKAGES) {
      change(dirname(JSON.parse(must([...run, 'program.cjs'])).path))
      const told = JSON.parse(must([...run, 'mend.cjs']) || '{}')
      if (told.code !== 'BINARY' || told.reason !== reason) said.push(`${how}: it says ${JSON.stringify(told)}`)
      else must(['sh', '-c', told.mend])
      const { source } = JSON.parse(must([...run, 'program.cjs']))
      if (source !== 'package') said.push(`${how}, and mended: the binary is that of the ${source}`)
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    said.push(error.message)
  }
  for (const line of said) console.log(`       ${line}`)
  return {
    name: `${name}: installs from a registry, again from its lock file, and mends what is broken as the error says`,
    ok: said.length === 0,
  }
}

/**
 * Ways to break the binary's package: missing, as after an installation without optional packages, or with a file
 * that was cut short.
 */
const BREAKAGES = [
  { how: 'removed', reason: 'missing', change: (folder) => rmSync(folder, { recursive: true }) },
  {
    how: 'cut short',
    reason: 'refused',
    change: (folder) => {
      const binary = join(
        folder,
        readdirSync(folder).find((file) => file.endsWith('.node')),
      )
      const bytes = readFileSync(binary)
      // The file is replaced by another, because package managers link theirs to one that all projects share.
      rmSync(binary)
      writeFileSync(binary, bytes.subarray(0, 50))
    },
  },
]

/** A folder for the path that has the package manager under the name that its users call it by. */
function shim(home, name, command) {
  const folder = join(home, 'path')
  mkdirSync(folder)
  const words = [...command].map((word) => `'${word}'`).join(' ')
  writeFileSync(join(folder, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 })
  return folder
}

/** A package for every platform, with its binary or with an empty file. */
function everyPlatform(folder) {
  return platforms().map((platform) => {
    const candidates = [join(binaries, binaryName(platform)), join(root, binaryName(platform))]
    const empty = join(folder, binaryName(platform))
    writeFileSync(empty, '')
    return { platform, binary: candidates.find(existsSync) ?? empty }
  })
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-managers-'))
  try {
    const { rootPackage, platformPackages } = packAll(
      everyPlatform(folder),
      join(folder, 'stage'),
      join(folder, 'packed'),
    )
    const tarballs = [rootPackage, ...platformPackages].map(({ tarball }) => tarball)
    const { address, close } = await serve(tarballs)
    const checks = managers().map((manager) => check(manager, address, folder))
    await close()
    show(checks)
    count(checks)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await runIfMain(import.meta, main)
