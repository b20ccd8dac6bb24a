// Runs the command as users do: in a process of its own, with pipes or in a terminal.

import type { ExecutionContext } from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { IPty } from '@lydell/node-pty'
import { Terminal } from '@xterm/headless'
import { root } from './golden.js'

/** The command: that of the package if the variable names it, or else that of this clone. */
export const PROGRAM = process.env.TOKENBED_PROGRAM ?? join(root, 'dist/cli/main.js')

export interface Setting {
  cwd?: string
  env?: Record<string, string | undefined>
  /** The contents of stdin; empty by default. */
  input?: string | Buffer
  /** The id of the user under which the command runs. */
  uid?: number
}

export interface Ended {
  code: number | NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The variables of a plain shell, independent of this process. */
function environment(changes: Setting['env'] = {}): NodeJS.ProcessEnv {
  const { CI, NO_COLOR, FORCE_COLOR, TERM, TOKENBED_DEBUG, COLORTERM, NODE_OPTIONS, ...rest } = process.env
  return { ...rest, ...changes }
}

/** Starts the command with pipes. */
export function start(args: string[], { cwd, env, uid }: Setting = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd, env: environment(env), uid, gid: uid })
}

/** Waits for the end of a started command. */
export function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? signal, stdout, stderr }))
  })
}

/** Runs the command until it ends. */
export async function command(args: string[], setting: Setting = {}): Promise<Ended> {
  const child = start(args, setting)
  // The command may end without reading its input.
  child.stdin!.on('error', () => {}).end(setting.input ?? '')
  return ended(child)
}

/** Lines of progress, which come only where the machine is so busy that a command takes more than a second. */
const PROGRESS = /^tokenbed: \d+%, .*\/s(, .* left)?\n/gm

/** Runs the command, which must succeed and print nothing but its progress on stderr, and returns its stdout. */
export async function output(t: ExecutionContext, args: string[], setting: Setting = {}): Promise<string> {
  const { code, stdout, stderr } = await command(args, setting)
  t.is(code, 0, stderr)
  t.is(stderr.replaceAll(PROGRESS, ''), '')
  return stdout
}

/** Runs the command, which must fail with this code and one line that contains every part. */
export async function fails(
  t: ExecutionContext,
  args: string[],
  code: 1 | 2,
  parts: string[],
  setting: Setting = {},
): Promise<void> {
  const found = await command(args, setting)
  const what = `${args.join(' ')}: ${JSON.stringify(found)}`
  t.is(found.code, code, what)
  t.is(found.stdout, '', what)
  t.regex(found.stderr, /^tokenbed: [^\n]+\n$/, what)
  for (const part of parts) t.true(found.stderr.includes(part), `"${found.stderr}" does not say "${part}"`)
}

function loadPty(): typeof import('@lydell/node-pty') | null {
  try {
    return require('@lydell/node-pty')
  } catch {
    return null
  }
}

/** The package for pseudo-terminals; null on platforms for which it has no binary. */
export const pty = loadPty()

/** A terminal in which the command runs. */
export class Screen {
  readonly process: IPty
  readonly ended: Promise<number>
  /** Everything that the command wrote to the terminal. */
  raw = ''
  readonly #terminal: Terminal
  #written: Promise<void> = Promise.resolve()

  constructor(
    args: string[],
    { cwd, env, columns = 80, rows = 24 }: { cwd?: string; env?: Setting['env']; columns?: number; rows?: number } = {},
  ) {
    this.#terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 10_000 })
    const given = Object.entries(environment(env)).filter(([, value]) => value !== undefined)
    // The name becomes the variable TERM.
    const options = {
      name: env?.TERM ?? 'xterm-256color',
      cols: columns,
      rows,
      cwd,
      env: Object.fromEntries(given) as Record<string, string>,
    }
    this.process = pty!.spawn(process.execPath, [PROGRAM, ...args], options)
    this.process.onData((data) => {
      this.raw += data
      this.#written = new Promise((resolve) => this.#terminal.write(data, resolve))
    })
    this.ended = new Promise((resolve) =>
      this.process.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode)),
    )
  }

  /** The visible lines, up to the last one that is not empty. */
  async lines(): Promise<string[]> {
    await this.#written
    const { buffer } = this.#terminal
    const lines = Array.from({ length: buffer.active.length }, (_, i) =>
      buffer.active.getLine(i)!.translateToString(true),
    )
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  /** Waits until a text is visible. */
  async until(pattern: RegExp): Promise<string> {
    let hasEnded = false
    void this.ended.then(() => (hasEnded = true))
    for (;;) {
      const text = (await this.lines()).join('\n')
      if (pattern.test(text)) return text
      if (hasEnded) throw new Error(`it has ended, and ${pattern} was not to be seen in ${JSON.stringify(this.raw)}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows)
    this.process.resize(columns, rows)
  }
}
