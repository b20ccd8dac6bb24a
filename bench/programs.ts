// Programs that a benchmark starts: the command, a server of Redis, a service. Each ends with the benchmark.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ROOT } from './report.js'

const COMMAND = join(ROOT, 'dist', 'cli', 'tokenbed.js')
const children = new Set<ChildProcess>()
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))

/** A started program, and what it said. */
export interface Program {
  child: ChildProcess
  /** Resolves with what it wrote when it ended well. */
  done: Promise<string>
}

/** Starts a program. */
export function start(file: string, args: string[], env: Record<string, string> = {}, cwd = ROOT): Program {
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  let [said, complained] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complained = (complained + text).slice(-2000)))
  const done = once(child, 'close').then(([code]) => {
    children.delete(child)
    if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${complained}`)
    return said
  })
  done.catch(() => {})
  return { child, done }
}

/** Starts a command of the package with so many threads. */
export const command = (threads: number, ...args: string[]): Program =>
  start(process.execPath, [COMMAND, ...args], { TOKENBED_NUM_THREADS: String(threads) })

/** Starts a command of the package with one thread for its work, all of whose threads have one core. */
export const commandOnCore = (core: number, ...args: string[]): Program =>
  start('taskset', ['-c', String(core), process.execPath, COMMAND, ...args], { TOKENBED_NUM_THREADS: '1' })

/** Whether a program is installed. */
export const isInstalled = (file: string) => spawnSync(file, ['--version']).status === 0

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Starts a redis-server with its data in `folder`, and returns its address. */
export async function redis(folder: string): Promise<{ url: string; child: ChildProcess }> {
  const port = String(await freePort())
  const options = ['--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', '']
  const { child } = start('redis-server', ['--port', port, ...options])
  while (!spawnSync('redis-cli', ['-p', port, 'ping'], { encoding: 'utf8' }).stdout?.startsWith('PONG')) await pause(20)
  return { url: `redis://127.0.0.1:${port}`, child }
}
