// Rows of a Redis or Valkey server, or of a cluster of them.
//
//   tokenbed:TABLE                    what the table is, as JSON; written last, so that a table is there whole
//   tokenbed:TABLE:DIGEST:BLOCK       a hash of 256 rows, by their numbers in the block
//
// Blocks are spread over the nodes of a cluster by their names. What one turn of the event loop asks of a node travels
// as one pipeline.

import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../base/errors.js'
import { checkSize, checkText, isArray, isObject, show } from '../base/validate.js'
import { MOST_IDS, RowStoreError, shownIds } from './errors.js'
import { loadClients } from './peers.js'
import type { SavedTable, ServedRows } from './place.js'
import type { RowReader } from './reader.js'

/** What is used of ioredis's clients. */
interface Client {
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<unknown>
  hmgetBuffer(key: string, ...fields: string[]): Promise<(Buffer | null)[]>
  hset(key: string, ...pairs: (string | Buffer)[]): Promise<unknown>
  unlink(key: string): Promise<unknown>
  info(section: string): Promise<string>
  disconnect(): void
  on(event: 'error', listener: (error: Error) => void): unknown
  nodes?(role: 'master'): Client[]
}

/** Rows of a hash: more would make a hash a large part of what a node holds, fewer would cost a key for each few. */
const BLOCK = 256
const VERSION = 1
const PAUSE_MS = 100
/** Blocks that are written at once. */
const AT_ONCE = 8

/** A server that was reached. */
export class Server {
  readonly #client: Client
  readonly #timeoutMs: number
  readonly #where: string
  readonly #shown: string
  readonly name: string
  #isClosed = false
  /** What the client last said of its connection. */
  #trouble: Error | null = null

  constructor({ connection, table, timeoutMs = 10_000 }: ServedRows, where: string) {
    if (typeof table !== 'string' || !/^[\w.-]{1,200}$/.test(table))
      throw new UsageError(`${where}: table must be a name of letters, digits, "_", "-" and ".", not ${show(table)}`)
    this.name = table
    this.#where = where
    this.#timeoutMs = checkSize(timeoutMs, `${where}: timeoutMs`, 1, 2 ** 31 - 1)
    const place = readConnection(connection, where)
    this.#shown = shownPlace(place)
    this.#client = connect(place)
    // The client connects again by itself; calls report what they could not do.
    this.#client.on('error', (error) => (this.#trouble = error))
  }

  close(): void {
    this.#isClosed = true
    this.#client.disconnect()
  }

  /** Says what the table is; null if there is none. */
  async described(): Promise<SavedTable | null> {
    const text = await this.run((client) => client.get(this.#key()))
    if (text === null) return null
    const damaged = (what: string) =>
      new RowStoreError(`${this.#where}: the description of the table ${this.name} ${what}`, 'damaged')
    let json: Partial<SavedTable> & { format?: unknown; version?: unknown; block?: unknown }
    try {
      json = JSON.parse(text) as typeof json
    } catch {
      throw damaged('is not JSON')
    }
    if (!isObject(json) || json.format !== 'tokenbed.rows') throw damaged('is not one of rows')
    if (json.version !== VERSION || json.block !== BLOCK) throw damaged('is of a version that is not known here')
    const { rows, dim, dtype, sha256 } = json
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw damaged('has no digest')
    return { rows: rows!, dim: dim!, dtype: dtype!, sha256 }
  }

  async describe(table: SavedTable): Promise<void> {
    const text = JSON.stringify({ format: 'tokenbed.rows', version: VERSION, block: BLOCK, ...table })
    await this.run((client) => client.set(this.#key(), text))
  }

  /** The rows of ids that lie in one block. */
  read(sha256: string, ids: Uint32Array): Promise<(Buffer | null)[]> {
    const fields = Array.from(ids, (id) => String(id % BLOCK))
    const key = this.#key(sha256, Math.floor(ids[0] / BLOCK))
    return this.run((client) => client.hmgetBuffer(key, ...fields), ids)
  }

  /** Writes the rows of ids, end to end. */
  async write(sha256: string, ids: Uint32Array, rows: Uint8Array): Promise<void> {
    const each = rows.length / ids.length
    const blocks = blocksOf(ids)
    for (let at = 0; at < blocks.length; at += AT_ONCE) {
      await Promise.all(
        blocks.slice(at, at + AT_ONCE).map(({ block, from, to }) => {
          const pairs: (string | Buffer)[] = []
          for (let i = from; i < to; i++)
            pairs.push(String(ids[i] % BLOCK), Buffer.from(rows.buffer, rows.byteOffset + i * each, each))
          return this.run((client) => client.hset(this.#key(sha256, block), ...pairs), ids.subarray(from, to))
        }),
      )
    }
  }

  /** Removes the rows of a table that another replaced. */
  async remove({ sha256, rows }: SavedTable): Promise<void> {
    const blocks = Math.ceil(rows / BLOCK)
    for (let at = 0; at < blocks; at += 1000) {
      const some = Array.from({ length: Math.min(1000, blocks - at) }, (_, i) => this.#key(sha256, at + i))
      await Promise.all(some.map((key) => this.run((client) => client.unlink(key))))
    }
  }

  /** Refuses a server that may drop rows when its memory is full. One that does not tell is trusted. */
  async refuseEviction(): Promise<void> {
    const { nodes } = this.#client
    const all = nodes === undefined ? [this.#client] : nodes.call(this.#client, 'master')
    const said = await Promise.all(all.map((node) => this.run(() => node.info('memory').catch(notAllowed))))
    const policy = said.map((text) => /^maxmemory_policy:(allkeys\S+)/m.exec(text)?.[1]).find(Boolean)
    if (policy !== undefined)
      throw new RowStoreError(
        `${this.#where}: the server at ${this.#shown} has maxmemory-policy ${policy} and may drop rows when its memory is full: set maxmemory-policy to noeviction`,
        'refused',
      )
  }

  /** The outcome of a command. It is sent again while nobody answers, or while a cluster has no master for it. */
  async run<T>(command: (client: Client) => Promise<T>, ids: Iterable<number> = []): Promise<T> {
    const end = performance.now() + this.#timeoutMs
    const failure = (reason: RowStoreError['reason'], what: string, cause: unknown) => {
      const some = [...ids].slice(0, MOST_IDS)
      const of = some.length > 0 ? ` of ${shownIds(some)}` : ''
      const message = `${this.#where}: the server at ${this.#shown} ${what} for the table ${this.name}${of}: ${reasonOf(cause)}`
      return new RowStoreError(message, reason, { ids: some, cause })
    }
    for (;;) {
      try {
        return await within(command(this.#client), end - performance.now())
      } catch (cause) {
        if (isAnswer(cause))
          throw failure(cause.message.startsWith('WRONGTYPE') ? 'damaged' : 'refused', 'refused', cause)
        if (this.#isClosed) throw failure('unreachable', 'was left', cause)
        if (performance.now() + PAUSE_MS >= end)
          throw failure('unreachable', 'did not answer in time', this.#trouble ?? cause)
        await sleep(PAUSE_MS)
      }
    }
  }

  #key(sha256?: string, block?: number): string {
    const table = `tokenbed:${this.name}`
    return sha256 === undefined ? table : `${table}:${sha256.slice(0, 16)}:${block}`
  }
}

/** Opens a table on a server. */
export async function openServed(place: ServedRows, where: string): Promise<RowReader & SavedTable> {
  const { sha256 } = place
  if (sha256 !== undefined) checkText(sha256, `${where}: sha256`)
  const server = new Server(place, where)
  try {
    const table = await server.described()
    if (table === null)
      throw new RowStoreError(`${where}: there is no table ${server.name}: RowStore.save makes it`, 'missing')
    if (sha256 !== undefined && sha256 !== table.sha256)
      throw new RowStoreError(
        `${where}: the table ${server.name} has the SHA-256 ${table.sha256}, and ${sha256} was asked for`,
        'refused',
      )
    await server.refuseEviction()
    return {
      ...table,
      block: BLOCK,
      async read(ids) {
        const rows = await server.read(table.sha256, ids)
        if (rows.includes(null)) await refuseOther(server, table, where)
        return rows
      },
      write: (ids, rows) => server.write(table.sha256, ids, rows),
      close: () => server.close(),
    }
  } catch (error) {
    server.close()
    throw error
  }
}

/** Rows that are gone may be those of a table that was replaced. */
async function refuseOther(server: Server, { sha256 }: SavedTable, where: string): Promise<void> {
  const now = await server.described()
  if (now?.sha256 === sha256) return
  const what = now === null ? 'was removed' : `was replaced by another with the SHA-256 ${now.sha256}`
  throw new RowStoreError(`${where}: the table ${server.name} ${what}: open it again`, 'refused')
}

/** The runs of ids that lie in one block. Ids are in order. */
function blocksOf(ids: Uint32Array): { block: number; from: number; to: number }[] {
  const blocks: { block: number; from: number; to: number }[] = []
  for (let from = 0, to = 0; from < ids.length; from = to) {
    const block = Math.floor(ids[from] / BLOCK)
    while (to < ids.length && Math.floor(ids[to] / BLOCK) === block) to++
    blocks.push({ block, from, to })
  }
  return blocks
}

/** Where to connect to: one server, or some nodes of a cluster. */
interface Place {
  readonly nodes: readonly string[]
  readonly isCluster: boolean
  /** Those of the client. */
  readonly options: Record<string, unknown>
}

function readConnection(connection: unknown, where: string): Place {
  if (isObject(connection) && !isArray(connection)) {
    const { nodes, ...options } = connection as { nodes?: unknown; [option: string]: unknown }
    if (nodes !== undefined) return { ...readConnection(isArray(nodes) ? nodes : [nodes], where), options }
    return { nodes: [], isCluster: false, options }
  }
  const given: unknown[] = isArray(connection) ? connection : [connection]
  const isUrl = (url: unknown) => typeof url === 'string' && /^(redis|valkey)s?:\/\/./.test(url)
  if (given.length === 0 || !given.every(isUrl))
    throw new UsageError(
      `${where}: connection must be a URL that begins with redis://, rediss:// or valkey://, a list of them, or the options of a client, not ${typeof connection === 'string' ? 'another text' : show(connection)}`,
    )
  const nodes = (given as string[]).map((url) => url.replace(/^valkey/, 'redis'))
  return { nodes, isCluster: isArray(connection), options: {} }
}

/** The places without their passwords, for messages. */
function shownPlace({ nodes, options: { host, port, path } }: Place): string {
  if (nodes.length > 0) return nodes.map((node) => node.replace(/\/\/.*@/, '//')).join(', ')
  return typeof path === 'string' ? path : `${String(host ?? '127.0.0.1')}:${String(port ?? 6379)}`
}

function connect({ nodes, isCluster, options }: Place): Client {
  const { Redis, Cluster } = loadClients()
  const again = (times: number) => Math.min(times * 50, 500)
  const pipelines = { enableAutoPipelining: true }
  if (!isCluster) {
    const given = { ...options, ...pipelines, maxRetriesPerRequest: 0, retryStrategy: again }
    return nodes.length > 0 ? new Redis(nodes[0], given) : new Redis(given)
  }
  // Nodes that the first ones tell of are entered as those are.
  const { protocol, username, password } = new URL(nodes[0])
  const entry = {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
  return new Cluster([...nodes], {
    slotsRefreshTimeout: 2000,
    ...options,
    ...pipelines,
    redisOptions: { ...entry, ...(options.redisOptions as object | undefined) },
    clusterRetryStrategy: again,
  })
}

/** Whether the server answered, and not that it has to be asked again. */
function isAnswer(error: unknown): error is Error {
  const { name, message } = error as Error
  const later = /^(MOVED|ASK|CLUSTERDOWN|TRYAGAIN|LOADING|MASTERDOWN|READONLY|BUSY)\b/
  return name === 'ReplyError' && !later.test(message)
}

/** What a server says that does not let its state be read. */
function notAllowed(error: unknown): string {
  if (isAnswer(error)) return ''
  throw error
}

/** Errors of several addresses have no message of their own. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || String(error)
}

/** The outcome of work, or an error once it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
