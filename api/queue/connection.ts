// The server of a queue: Redis, Valkey or Postgres, checked before it is used.

import type { Queue, QueueOptions } from 'bullmq'
import { UsageError } from '../base/errors.js'
import { isObject, show } from '../base/validate.js'
import { QueueError } from './errors.js'
import { checkPostgres, loadBullMQ, loadRedis } from './peers.js'
import type { QueuePlace } from './place.js'

/** A server that was reached. */
export interface Server {
  readonly name: string
  readonly options: QueueOptions
  readonly factory: unknown
}

const DEFAULT_NAME = 'tokenbed'
/** How long a server may take to answer. */
const CONNECT_MS = 5000

/** Reaches the server, and refuses a Redis that may drop jobs. */
export async function reach({ connection, queue = DEFAULT_NAME }: Partial<QueuePlace>, where: string): Promise<Server> {
  if (typeof queue !== 'string' || !/^[\w.-]+$/.test(queue))
    throw new UsageError(`${where}: queue must be a name of letters, digits, "_", "-" and ".", not ${show(queue)}`)
  const { kind, url, options } = read(connection, where)
  const bull = loadBullMQ()
  if (kind === 'postgres') {
    checkPostgres()
    const given = { ...options, ...(url !== undefined && { connectionString: url }), migrate: true }
    const server = { name: queue, options: { connection: given as never }, factory: bull.createPostgresBackend }
    await answers(server, where)
    return server
  }
  await refuseEviction(url, options, where)
  return {
    name: queue,
    options: { connection: { ...options, ...(url !== undefined && { url }) } },
    factory: undefined,
  }
}

/** Opens a queue on a server. Close it after use. */
export function openQueue({ name, options, factory }: Server): Queue {
  const { Queue } = loadBullMQ()
  const queue = new Queue(name, options, factory as undefined)
  // A lost connection is made again by the client, and calls report what they could not do.
  queue.on('error', () => {})
  return queue
}

/** Runs a step on a queue, which is closed afterwards. What the server says against it becomes a QueueError. */
export async function withQueue<T>(server: Server, where: string, step: (queue: Queue) => Promise<T>): Promise<T> {
  const queue = openQueue(server)
  try {
    return await step(queue)
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new QueueError(`${where}: the server of the queue refused: ${(cause as Error).message}`, { cause })
  } finally {
    await queue.close()
  }
}

function read(connection: unknown, where: string) {
  if (typeof connection === 'string') {
    const scheme = /^(\w+):\/\/./.exec(connection)?.[1]
    if (scheme === 'postgres' || scheme === 'postgresql')
      return { kind: 'postgres', url: connection, options: {} } as const
    if (scheme === 'redis' || scheme === 'rediss') return { kind: 'redis', url: connection, options: {} } as const
    if (scheme === 'valkey' || scheme === 'valkeys')
      return { kind: 'redis', url: connection.replace(/^valkey/, 'redis'), options: {} } as const
  } else if (isObject(connection)) {
    return {
      kind: 'connectionString' in connection ? 'postgres' : 'redis',
      url: undefined,
      options: connection,
    } as const
  }
  throw new UsageError(
    `${where}: connection must be a URL that begins with redis://, rediss://, valkey:// or postgres://, or the options of a client, not ${typeof connection === 'string' ? 'another text' : show(connection)}`,
  )
}

/** A URL without its password, for messages. */
function shown(
  url: string | undefined,
  { host, port, path }: { host?: unknown; port?: unknown; path?: unknown },
): string {
  if (url !== undefined) return url.replace(/\/\/.*@/, '//')
  return typeof path === 'string' ? path : `${String(host ?? '127.0.0.1')}:${String(port ?? 6379)}`
}

async function refuseEviction(url: string | undefined, options: object, where: string): Promise<void> {
  const Client = loadRedis()
  const client = new Client(url ?? 'redis://127.0.0.1:6379', {
    ...options,
    connectTimeout: CONNECT_MS,
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  let failure: Error | null = null
  client.on('error', (error) => (failure ??= error))
  const server = shown(url, options)
  let found: string
  try {
    await client.connect()
    found = await client.info('memory')
  } catch (error) {
    const cause: unknown = failure ?? error
    throw new QueueError(`${where}: cannot reach the server of the queue at ${server}: ${reasonOf(cause)}`, { cause })
  } finally {
    client.disconnect()
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(found)?.[1] ?? 'noeviction'
  if (policy !== 'noeviction')
    throw new QueueError(
      `${where}: the server at ${server} has maxmemory-policy ${policy} and may drop jobs when its memory is full: set maxmemory-policy to noeviction`,
    )
}

async function answers(server: Server, where: string): Promise<void> {
  const queue = openQueue(server)
  const timer = new AbortController()
  try {
    const late = new Promise<never>((_, reject) => {
      const id = setTimeout(() => reject(new Error(`no answer within ${CONNECT_MS / 1e3} s`)), CONNECT_MS * 4)
      timer.signal.addEventListener('abort', () => clearTimeout(id))
    })
    await Promise.race([queue.waitUntilReady(), late])
  } catch (cause) {
    throw new QueueError(`${where}: cannot use the Postgres server of the queue: ${reasonOf(cause)}`, { cause })
  } finally {
    timer.abort()
    await queue.close()
  }
}

/** Errors of several addresses have no message of their own. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || String(error)
}
