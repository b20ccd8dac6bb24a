// tokenbed doctor: checks whether this machine runs tokenbed as it should, and says what to do if not.
//
// It must work where the native part does not load, so nothing is imported here that would load it.

import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { Command, CommanderError } from '../bundled/commander.js'
import { packageJson } from '../terminal/package.js'
import type * as Tokenbed from '../../index.js'

/** A check: all is well, something could be better, or something does not work. */
interface Check {
  name: string
  state: 'ok' | 'note' | 'fail'
  says: string
  /** What to do about it. */
  todo?: string
}

interface Report {
  /** Whether nothing failed. */
  ok: boolean
  tokenbed: string
  /** This process and this machine. */
  host: Record<string, string | null>
  checks: Check[]
  /** The native part that was loaded; null if none could be. */
  capabilities: Tokenbed.Capabilities | null
  /** Results of the kernels. Digests are the same on every machine. */
  kernels: Tokenbed.KernelTest[]
}

const NOTES = `
The kernels of every instruction set that the machine has are compared with the plain ones, which define the results.
Exit codes: 0 everything works, 1 something does not. --json prints the same as one object, for reports and programs.

Examples:
  $ tokenbed doctor
  $ tokenbed doctor --json > report.json
  $ TOKENBED_ISA=avx2 tokenbed doctor`

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check that this machine runs tokenbed as it should')
    .description(
      'Checks the native part, the processor, threads, memory and vocabularies, and says what to do if something is wrong.',
    )
    .option('--json', 'print the report as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(({ json }: { json?: boolean }) => {
      const report = examine()
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : shown(report))
      if (!report.ok) process.exitCode = 1
    })
}

/** Runs the command where nothing else of tokenbed loads. */
export function doctorAlone(): void {
  const program = new Command('tokenbed')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
  addDoctor(program)
  try {
    program.parse()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : 2
    if (error.exitCode !== 0) process.stderr.write(`tokenbed: ${error.message.replace(/^error: /, '')}\n`)
  }
}

type Loaded = { tokenbed: typeof Tokenbed } | { error: Error }

function load(): Loaded {
  try {
    return { tokenbed: require('../../index.js') }
  } catch (error) {
    return { error: error as Error }
  }
}

function examine(): Report {
  const found = load()
  const parts =
    'tokenbed' in found
      ? examineAll(found.tokenbed)
      : { checks: unloaded(found.error), capabilities: null, kernels: [] }
  const { version, engines } = packageJson()
  const checks = [...parts.checks, ...nodeLine(engines.node), ...hugePages()]
  return { ok: checks.every(({ state }) => state !== 'fail'), tokenbed: version, host: host(), ...parts, checks }
}

function host(): Report['host'] {
  const { platform, arch, versions } = process
  return {
    platform,
    arch,
    libc: platform === 'linux' ? libc() : null,
    system: release(),
    runtime: versions.bun ? `Bun ${versions.bun}` : versions.deno ? `Deno ${versions.deno}` : `Node ${versions.node}`,
    nodeApi: versions.napi ?? null,
    processor: cpus()[0]?.model.trim() ?? null,
  }
}

/** The libc in words. api/native/platform.ts, which chooses the binary, needs less than this. */
function libc(): string {
  const { report } = process
  if (!report) return 'unknown'
  // As in api/native/platform.ts, the report leaves out the names of all network connections.
  ;(report as typeof report & { excludeNetwork?: boolean }).excludeNetwork = true
  const { header, sharedObjects = [] } = report.getReport() as unknown as {
    header?: { glibcVersionRuntime?: string }
    sharedObjects?: string[]
  }
  if (header?.glibcVersionRuntime) return `glibc ${header.glibcVersionRuntime}`
  return sharedObjects.some((path) => /ld-musl-|libc\.musl-/.test(path)) ? 'musl' : 'unknown'
}

/** Checks for a native part that did not load or start. */
function unloaded(error: Error): Check[] {
  const { code, found, needed, mend } = error as Partial<Tokenbed.BinaryError>
  if (code === 'BINARY' && mend !== undefined) {
    const [first] = error.message.split('\n')
    return [{ name: 'binary', state: 'fail', says: `${first}\nfound: ${found}\nneeded: ${needed}`, todo: mend }]
  }
  const { setting } = error as Partial<Tokenbed.UsageError>
  return [
    {
      name: 'start',
      state: 'fail',
      says: error.message,
      todo:
        setting === undefined ? 'please report this' : `unset ${setting}, or set it to a value that this machine has`,
    },
  ]
}

function examineAll(tokenbed: typeof Tokenbed): Pick<Report, 'checks' | 'capabilities' | 'kernels'> {
  let capabilities: Tokenbed.Capabilities | null = null
  let kernels: Tokenbed.KernelTest[] = []
  const checks = [
    ...attempt('threads', () => {
      capabilities = tokenbed.capabilities()
      return [binary(capabilities), instructions(capabilities), threads(capabilities.threads), liveData(capabilities)]
    }),
    ...attempt('kernels', () => {
      kernels = tokenbed.selfTest()
      return [tested(kernels)]
    }),
    ...attempt('vocabularies', () => [vocabularies(tokenbed)]),
  ]
  return { checks, capabilities, kernels }
}

/** Runs checks; an error is a failed check with its message. */
function attempt(name: string, run: () => Check[]): Check[] {
  try {
    return run()
  } catch (error) {
    const { message, setting } = error as Error & Partial<Tokenbed.UsageError>
    return [
      {
        name,
        state: 'fail',
        says: message,
        todo: setting
          ? `set ${setting} to a whole number, or unset it`
          : 'install tokenbed again; if that does not help, please report this',
      },
    ]
  }
}

const WHY = {
  package: "this platform's own package",
  build: 'built here, in this clone',
  environment: 'TOKENBED_BINARY names it',
}

function binary({ path, source, version, binary }: Tokenbed.Capabilities): Check {
  return { name: 'binary', state: 'ok', says: `${path}\n${WHY[source]}; version ${version}, for ${binary}` }
}

function instructions({ isa, detected, features }: Tokenbed.Capabilities): Check {
  const lacking = features.filter(({ available }) => !available).map(({ name }) => name)
  const has = features.filter(({ available }) => available).map(({ name }) => name)
  const says = `${isa} in use, of ${detected.join(', ')}\nthe processor has ${has.join(', ') || 'none of the features looked for'}${lacking.length > 0 ? `; it lacks ${lacking.join(', ')}` : ''}`
  const best = detected.at(-1)
  if (isa !== best) return { name: 'instructions', state: 'note', says, todo: `unset TOKENBED_ISA: ${best} is faster` }
  if (isa === 'scalar')
    return {
      name: 'instructions',
      state: 'note',
      says,
      todo: 'the results are right, but slow: use a processor with AVX2 or NEON; give a virtual machine the processor of its host',
    }
  return { name: 'instructions', state: 'ok', says }
}

function threads(count: number): Check {
  const cores = availableParallelism()
  const says = `${count} for large lookups; ${cores} ${cores === 1 ? 'core' : 'cores'}`
  if (count <= cores) return { name: 'threads', state: 'ok', says }
  return {
    name: 'threads',
    state: 'note',
    says,
    todo: `threads beyond the number of cores only wait: set TOKENBED_NUM_THREADS=${cores}`,
  }
}

function liveData({ liveData }: Tokenbed.Capabilities): Check {
  if (liveData) return { name: 'memory', state: 'ok', says: "'data' of a table is a live view of its memory" }
  return {
    name: 'memory',
    state: 'note',
    says: "this host forbids arrays over native memory (Electron does): 'data' of tables is a copy",
    todo: 'write to tables with set(), not through data',
  }
}

function tested(kernels: Tokenbed.KernelTest[]): Check {
  const wrong = kernels.filter(({ ok }) => !ok)
  const [ops, isas] = [new Set(kernels.map(({ op }) => op)), new Set(kernels.map(({ isa }) => isa))]
  if (wrong.length === 0)
    return { name: 'kernels', state: 'ok', says: `${ops.size} ops on ${[...isas].join(', ')} give the same bits` }
  const says = `the results differ from those of the plain kernels: ${wrong.map(({ op, isa }) => `${op} on ${isa}`).join(', ')}`
  return {
    name: 'kernels',
    state: 'fail',
    says,
    todo: `TOKENBED_ISA=scalar avoids them; please report this, with tokenbed doctor --json`,
  }
}

const HELLO = [15496, 11, 995, 0]

function vocabularies({ Tokenizer }: typeof Tokenbed): Check {
  const names = ['gpt2', 'cl100k_base', 'o200k_base'] as const
  for (const name of names) {
    const tokenizer = Tokenizer.load(name)
    const ids = [...tokenizer.encode('Hello, world!')]
    const isRight = tokenizer.decode(ids) === 'Hello, world!' && (name !== 'gpt2' || ids.join() === HELLO.join())
    if (!isRight) throw new Error(`${name} gives other ids than it should: ${ids.join(' ')}`)
  }
  return { name: 'vocabularies', state: 'ok', says: names.join(', ') }
}

/** Whether this Node is of a line in `engines`: `^20.19 || ^22.12 || >=24`. */
function nodeLine(engines: string): Check[] {
  const { versions } = process
  if (versions.bun || versions.deno) return []
  const [major, minor] = versions.node.split('.').map(Number)
  const fits = engines.split('||').some((range) => {
    const [, sign, wanted, least = '0'] = /(\^|>=)(\d+)(?:\.(\d+))?/.exec(range) ?? []
    if (sign === '>=' && major > Number(wanted)) return true
    return major === Number(wanted) && minor >= Number(least)
  })
  if (fits) return [{ name: 'node', state: 'ok', says: `${versions.node} is of a supported line (${engines})` }]
  return [
    {
      name: 'node',
      state: 'note',
      says: `${versions.node} is not of a supported line (${engines})`,
      todo: 'use a maintained line of Node',
    },
  ]
}

const HUGE_PAGES = '/sys/kernel/mm/transparent_hugepage/enabled'

/** Whether the system gives huge pages to programs that ask for them. Large tables do. */
function hugePages(): Check[] {
  if (process.platform !== 'linux') return []
  let setting: string | undefined
  try {
    setting = /\[(\w+)\]/.exec(readFileSync(HUGE_PAGES, 'utf8'))?.[1]
  } catch {
    // The kernel has no huge pages, or a container hides the setting.
  }
  if (setting === 'always' || setting === 'madvise') return [{ name: 'huge pages', state: 'ok', says: setting }]
  const says = setting === undefined ? `${HUGE_PAGES} does not exist` : setting
  return [
    {
      name: 'huge pages',
      state: 'note',
      says,
      todo: `large tables are slower without huge pages: as root, run echo madvise > ${HUGE_PAGES}`,
    },
  ]
}

function shown({ ok, tokenbed, host, checks }: Report): string {
  const { platform, arch, libc, system, runtime, processor } = host
  const head = [
    `tokenbed ${tokenbed}`,
    `${platform} ${arch}${libc ? `, ${libc}` : ''} (${system}), ${runtime}`,
    processor ?? 'an unknown processor',
  ]
  const width = Math.max(...checks.map(({ name }) => name.length))
  const lines = checks.flatMap(({ name, state, says, todo }) => {
    const [first, ...rest] = says.split('\n')
    const indent = ' '.repeat(6 + width + 2)
    return [
      `${state.padEnd(4)}  ${name.padEnd(width)}  ${first}`,
      ...rest.map((line) => indent + line),
      ...(todo ? [`${indent}-> ${todo}`] : []),
    ]
  })
  const failed = checks.filter(({ state }) => state === 'fail').length
  const end = ok ? 'It works.' : `${failed} of ${checks.length} checks failed: do what the arrows say.`
  return `${head.join('\n')}\n\n${lines.join('\n')}\n\n${end}\n`
}
