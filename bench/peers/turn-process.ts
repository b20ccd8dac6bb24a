// A program of another package, in a process of its own that takes turns with this one: it waits for a line of JSON,
// works, and answers with one.

import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Turn } from '../turns.js'
import type { Found } from './peer.js'

/** A program to start. */
export interface Program {
  /** Name of the package. */
  name: string
  /** The program and its arguments. */
  command: [string, ...string[]]
  /** What it lacks if it does not answer. */
  why: string
  env?: Record<string, string>
}

export class TurnProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #name: string
  version = ''

  private constructor(child: ChildProcess, name: string) {
    this.#child = child
    this.#name = name
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Starts a program that takes turns. */
  static async start({ name, command: [program, ...args], why, env }: Program): Promise<Found<TurnProcess>> {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...env } })
    // A process that ended, or never started, shows in its missing answer.
    child.on('error', () => {})
    child.stdin.on('error', () => {})
    const it = new TurnProcess(child, name)
    try {
      it.version = String((await it.ask({ do: 'version' })).version)
      return { name, peer: it }
    } catch {
      return { name, why }
    }
  }

  async ask(command: Record<string, unknown>): Promise<Record<string, unknown>> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`${this.#name}: the process has ended`)
    const said = JSON.parse(value)
    if (said.error) throw new Error(`${this.#name}: ${said.error}`)
    return said
  }

  /** Runs a job for `milliseconds` of work. */
  async turn(job: string, threads: number, milliseconds: number): Promise<Turn> {
    return (await this.ask({ do: 'turn', job, threads, milliseconds })) as unknown as Turn
  }

  stop(): void {
    this.#child.stdin!.end()
  }
}
