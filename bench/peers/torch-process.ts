// PyTorch in a process of its own that takes turns with this one: it waits for a line, works, and answers.

import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT } from '../report.js'
import type { Turn } from '../turns.js'
import type { Found } from './peer.js'

export class TorchProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  version = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Starts a script of this folder that takes turns. */
  static async start(script = 'torch_lookup.py'): Promise<Found<TorchProcess>> {
    const python = process.env.TOKENBED_PYTHON ?? 'python3'
    const child = spawn(python, [join(ROOT, 'bench', 'peers', script)], { stdio: ['pipe', 'pipe', 'ignore'] })
    // A process that ended, or never started, shows in its missing answer.
    child.on('error', () => {})
    child.stdin.on('error', () => {})
    const it = new TorchProcess(child)
    try {
      it.version = String((await it.ask({ do: 'version' })).version)
      return { name: 'PyTorch', peer: it }
    } catch {
      const who = process.env.TOKENBED_PYTHON ? 'TOKENBED_PYTHON' : 'python3'
      return { name: 'PyTorch', why: `${who} does not have it; set TOKENBED_PYTHON to a Python that does` }
    }
  }

  async ask(command: Record<string, unknown>): Promise<Record<string, unknown>> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('PyTorch: the process has ended')
    const said = JSON.parse(value)
    if (said.error) throw new Error(`PyTorch: ${said.error}`)
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
