// Servers of queues, each started on a free port of this machine, and ended with the test process.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { TestFn } from 'ava'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { temporaryFolder } from './temporary.js'

const PROGRAM = process.env.TOKENBED_REDIS ?? 'redis-server'
/** Whether redis-server is installed. */
const hasRedis = spawnSync(PROGRAM, ['--version']).status === 0

/** `test` if redis-server is installed; else tests are skipped by their names. */
export const withRedis = (test: TestFn) => (hasRedis ? test.serial : test.skip)

const isRoot = process.getuid?.() === 0

/** The variables of servers: a sanitizer that this process runs under is not theirs. */
const { LD_PRELOAD, ...ENVIRONMENT } = process.env
const children = new Set<ChildProcess>()
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))

/** Starts a process that ends with this one. */
function started(program: string, args: string[], options: object): ChildProcess {
  const child = spawn(program, args, { env: ENVIRONMENT, ...options, stdio: 'ignore' })
  children.add(child)
  child.once('exit', () => children.delete(child))
  // The tests may end before it does.
  child.unref()
  return child
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

let base: string | undefined

/** A redis-server that keeps its data over a restart. */
export class RedisServer {
  readonly #folder = mkdtempSync(join((base ??= temporaryFolder()), 'redis-'))
  readonly #policy: string
  readonly #more: readonly string[]
  #child: ChildProcess | null = null
  port = 0

  constructor(policy = 'noeviction', more: readonly string[] = []) {
    this.#policy = policy
    this.#more = more
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<this> {
    this.port ||= await freePort()
    const options = ['--bind', '127.0.0.1', '--appendonly', 'yes', '--save', '', '--maxmemory-policy', this.#policy]
    const all = ['--port', String(this.port), '--dir', this.#folder, ...options, ...this.#more]
    this.#child = started(PROGRAM, all, {})
    await this.command('ping')
    return this
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const gone = once(this.#child!, 'exit')
    this.#child!.ref()
    this.#child!.kill('SIGKILL')
    await gone
  }

  /** Loses all jobs. */
  async forget(): Promise<void> {
    await this.command('flushall')
  }

  /** Loses the lock of a job. */
  async unlock(queue: string, id: string): Promise<void> {
    await this.command('del', `bull:${queue}:${id}:lock`)
  }

  /** Sends one command. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const client = new Redis(this.url, { retryStrategy: () => 20, maxRetriesPerRequest: 400 })
    client.on('error', () => {})
    try {
      return await client.call(name, ...args)
    } finally {
      client.disconnect()
    }
  }
}

const SLOTS = 16384
const CLUSTERED = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0']

/** Starts a cluster of six servers: three masters, which come first, and a replica of each. */
export async function startCluster(): Promise<RedisServer[]> {
  const servers = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const server = new RedisServer('noeviction', CLUSTERED)
      // The bus of a cluster has the port plus 10,000.
      do server.port = await freePort()
      while (server.port > 55_000)
      return server.start()
    }),
  )
  const [first, ...others] = servers
  for (const { port } of others) await first.command('cluster', 'meet', '127.0.0.1', String(port))
  const share = Math.ceil(SLOTS / 3)
  for (const [i, server] of servers.slice(0, 3).entries()) {
    const end = Math.min((i + 1) * share, SLOTS) - 1
    await server.command('cluster', 'addslotsrange', String(i * share), String(end))
  }
  const ids = await Promise.all(servers.slice(0, 3).map((server) => server.command('cluster', 'myid')))
  for (const [i, server] of servers.slice(3).entries())
    await eventually(async () => (await server.command('cluster', 'replicate', String(ids[i]))) === 'OK')
  for (const server of servers) {
    await eventually(async () => {
      const state = String(await server.command('cluster', 'info'))
      const link = String(await server.command('info', 'replication'))
      return /cluster_state:ok/.test(state) && /cluster_known_nodes:6/.test(state) && !/link_status:down/.test(link)
    })
  }
  return servers
}

/** Waits until something is so; what it throws means that it is not. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; ; i++) {
    if (await isSo().catch(() => false)) return
    if (i === 600) throw new Error('it did not start')
    await setTimeout(50)
  }
}

const PLACES = ['/usr/lib/postgresql', '/usr/local/pgsql']

/** The folder of Postgres's programs; null if it is not installed. */
function postgresPrograms(): string | null {
  const folders = [
    process.env.TOKENBED_POSTGRES ?? '',
    ...PLACES.flatMap((place) => (existsSync(place) ? readdirSync(place).map((name) => join(place, name, 'bin')) : [])),
    ...(process.env.PATH ?? '').split(':'),
  ]
  return folders.find((folder) => folder !== '' && existsSync(join(folder, 'initdb'))) ?? null
}

const programs = process.platform === 'win32' ? null : postgresPrograms()
/** A user without rights, because Postgres does not start as root. */
const NOBODY = 65534

/** `test` if Postgres is installed; else tests are skipped by their names. */
export const withPostgres = (test: TestFn) => (programs === null ? test.skip : test.serial)

/** A Postgres that keeps its data over a restart. */
export class PostgresServer {
  readonly #folder = mkdtempSync(join((base ??= temporaryFolder()), 'postgres-'))
  readonly #user = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  #child: ChildProcess | null = null
  #port = 0

  get url(): string {
    return `postgres://tests@127.0.0.1:${this.#port}/postgres`
  }

  /** Runs one of its programs to its end. */
  #run(program: string, ...args: string[]) {
    return spawnSync(join(programs!, program), args, {
      ...this.#user,
      env: ENVIRONMENT,
      encoding: 'utf8',
      cwd: this.#folder,
    })
  }

  async start(): Promise<this> {
    const data = join(this.#folder, 'data')
    if (this.#port === 0) {
      if (isRoot) spawnSync('chown', ['-R', `${NOBODY}:${NOBODY}`, this.#folder, join(this.#folder, '..')])
      const made = this.#run('initdb', '-D', data, '-U', 'tests', '-A', 'trust', '--no-sync')
      if (made.status !== 0) throw new Error(made.stderr)
      this.#port = await freePort()
    }
    const options = ['-D', data, '-p', String(this.#port), '-h', '127.0.0.1', '-k', this.#folder, '-c', 'fsync=off']
    this.#child = started(join(programs!, 'postgres'), options, { ...this.#user, cwd: this.#folder })
    const address = ['-h', '127.0.0.1', '-p', String(this.#port)]
    await eventually(async () => this.#run('pg_isready', ...address).status === 0)
    return this
  }

  /** Ends it as a crash does, with all its processes. */
  async kill(): Promise<void> {
    const gone = once(this.#child!, 'exit')
    this.#child!.ref()
    this.#child!.kill('SIGQUIT')
    await gone
  }

  /** Runs a statement. */
  async query(text: string, values: unknown[] = []): Promise<void> {
    const client = new Client({ connectionString: this.url })
    await client.connect()
    try {
      await client.query(text, values)
    } finally {
      await client.end()
    }
  }

  /** Loses all jobs. */
  forget(): Promise<void> {
    return this.query('TRUNCATE bullmq.job CASCADE')
  }

  /** Loses the lock of a job. */
  unlock(queue: string, id: string): Promise<void> {
    return this.query('UPDATE bullmq.job SET lock_token = NULL WHERE queue = $1 AND id = $2', [queue, id])
  }
}

const SLURM = ['slurmctld', 'slurmd', 'sbatch', 'scontrol']
const hasSlurm = isRoot && SLURM.every((program) => spawnSync(program, ['-V']).error === undefined)

/** `test` if Slurm is installed, and this is root, who alone starts its daemons; else tests are skipped by name. */
export const withSlurm = (test: TestFn) => (hasSlurm ? test.serial : test.skip)

/** Starts a Slurm of this machine alone, and returns the variables with which its commands find it. */
export async function startSlurm(): Promise<NodeJS.ProcessEnv> {
  const folder = mkdtempSync(join(temporaryFolder(), 'slurm-'))
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name))
  const [machine] = hostname().split('.')
  const file = join(folder, 'slurm.conf')
  const settings = {
    ClusterName: 'tests',
    SlurmctldHost: `${machine}(127.0.0.1)`,
    SlurmUser: 'root',
    SlurmdUser: 'root',
    AuthType: 'auth/none',
    CredType: 'cred/none',
    SlurmctldPort: await freePort(),
    SlurmdPort: await freePort(),
    StateSaveLocation: join(folder, 'state'),
    SlurmdSpoolDir: join(folder, 'spool'),
    SlurmctldPidFile: join(folder, 'slurmctld.pid'),
    SlurmdPidFile: join(folder, 'slurmd.pid'),
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    MpiDefault: 'none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_Core',
    NodeName: `${machine} NodeAddr=127.0.0.1 CPUs=${cpus().length} State=UNKNOWN`,
    PartitionName: 'main Nodes=ALL Default=YES State=UP',
  }
  writeFileSync(
    file,
    Object.entries(settings)
      .map((line) => `${line.join('=')}\n`)
      .join(''),
  )
  const env = { ...ENVIRONMENT, SLURM_CONF: file }
  started('slurmctld', ['-D', '-f', file], { env })
  started('slurmd', ['-D', '-f', file, '-N', machine], { env })
  await eventually(async () => spawnSync('sinfo', ['-h', '-t', 'idle'], { env, encoding: 'utf8' }).stdout !== '')
  return env
}
