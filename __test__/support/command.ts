// The command as its users run it: in a process of its own, with pipes or in a terminal.

import type { ExecutionContext } from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { IPty } from '@lydell/node-pty'
import { Terminal } from '@xterm/headless'
import { root } from './golden.js'

export const PROGRAM = join(root, 'dist/cli/main.js')

export interface Setting {
  cwd?: string
  env?: Record<string, string | undefined>
  /** What stdin holds; default nothing. */
  input?: string | Buffer
  /** As whom it runs. */
  uid?: number
}

export interface Ended {
  code: number | NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The variables of a plain shell, whatever this process runs in. */
function environment(changes: Setting['env'] = {}): NodeJS.ProcessEnv {
  const { CI, NO_COLOR, FORCE_COLOR, TERM, TOKENBED_DEBUG, COLORTERM, NODE_OPTIONS, ...rest } = process.env
  return { ...rest, ...changes }
}

/** Starts it, with pipes. */
export function start(args: string[], { cwd, env, uid }: Setting = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd, env: environment(env), uid, gid: uid })
}

/** How a started one ends. */
export function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? signal, stdout, stderr }))
  })
}

/** Runs it to its end. */
export async function command(args: string[], setting: Setting = {}): Promise<Ended> {
  const child = start(args, setting)
  // It may end without reading.
  child.stdin!.on('error', () => {}).end(setting.input ?? '')
  return ended(child)
}

/** Runs it, which goes well, and takes its stdout; nothing is said on stderr. */
export async function output(t: ExecutionContext, args: string[], setting: Setting = {}): Promise<string> {
  const { code, stdout, stderr } = await command(args, setting)
  t.is(code, 0, stderr)
  t.is(stderr, '')
  return stdout
}

/** Runs it, which fails with this code and one line that has every part. */
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

/** Pseudo-terminals; null on platforms that its package has no binary for. */
export const pty = loadPty()

/** A terminal in which the command runs. */
export class Screen {
  readonly process: IPty
  readonly ended: Promise<number>
  /** All that was sent to it. */
  raw = ''
  readonly #terminal: Terminal
  #written: Promise<void> = Promise.resolve()

  constructor(
    args: string[],
    { cwd, env, columns = 80, rows = 24 }: { cwd?: string; env?: Setting['env']; columns?: number; rows?: number } = {},
  ) {
    this.#terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 10_000 })
    const given = Object.entries(environment(env)).filter(([, value]) => value !== undefined)
    // The name becomes TERM.
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

  /** What is to be seen, line by line, up to the last that is not empty. */
  async lines(): Promise<string[]> {
    await this.#written
    const { buffer } = this.#terminal
    const lines = Array.from({ length: buffer.active.length }, (_, i) =>
      buffer.active.getLine(i)!.translateToString(true),
    )
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  /** Waits until something is to be seen. */
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
