// Puts load on a service in a process of its own: node load.js URL [requests a second] [seconds]. It prints JSON.
//
// Latency counts from the moment when a request was due, in microseconds, so that requests that had to wait for a free
// connection count, too.

import { connect, type Socket } from 'node:net'

const CONNECTIONS = 16

/** What a run found. */
export interface Load {
  /** Requests that were answered in a second. */
  rate: number
  /** Microseconds. */
  p50: number
  p99: number
  errors: number
}

/** A connection that has one request under way at a time. */
class Connection {
  #due = 0
  readonly #socket: Socket
  isFree = true

  constructor(
    port: number,
    host: string,
    readonly request: Buffer,
    readonly answered: (took: number, status: string) => void,
  ) {
    this.#socket = connect({ port, host, noDelay: true }).on('data', (part: Buffer) => this.#take(part))
  }

  ask(due: number): void {
    this.isFree = false
    this.#due = due
    this.#socket.write(this.request)
  }

  end(): void {
    this.#socket.destroy()
  }

  /** The bytes of an answer that are still missing, or null before its head has come. */
  #missing: number | null = null
  #status = ''

  #take(part: Buffer): void {
    if (this.#missing === null) {
      const end = part.indexOf('\r\n\r\n')
      const head = part.toString('latin1', 0, end).toLowerCase()
      this.#status = head.slice(9, 12)
      this.#missing = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0) + end + 4
    }
    this.#missing -= part.length
    if (this.#missing > 0) return
    this.#missing = null
    this.isFree = true
    this.answered((performance.now() - this.#due) * 1e3, this.#status)
  }
}

/** Sends requests for so many seconds: as fast as they are answered, or at a rate. */
async function load(url: string, rate: number, seconds: number): Promise<Load> {
  const { hostname, port } = new URL(url)
  const body = JSON.stringify({ text: 'Call me Ishmael. Some years ago, never mind how long precisely' })
  const head = [
    'POST /embed HTTP/1.1',
    `host: ${hostname}`,
    'content-type: application/json',
    'accept: application/octet-stream',
    `content-length: ${body.length}`,
  ]
  const request = Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
  const took: number[] = []
  let [errors, answers] = [0, 0]
  let counts = false
  const answered = (us: number, status: string) => {
    answers++
    if (!counts) return
    took.push(us)
    if (status !== '200') errors++
  }
  const connections = Array.from(
    { length: CONNECTIONS },
    () => new Connection(Number(port), hostname, request, answered),
  )
  const begun = performance.now()
  // The first second warms up.
  const [warm, end] = [begun + 1e3, begun + 1e3 * (seconds + 1)]
  let due = begun
  for (let now = begun; now < end; now = performance.now()) {
    if (!counts && now >= warm) [counts, answers] = [true, 0]
    for (const connection of connections) {
      if (!connection.isFree) continue
      if (rate > 0 && due > now) break
      connection.ask(rate > 0 ? due : now)
      // Intervals at random, as of many people who do not know of each other.
      due += rate > 0 ? (-Math.log(1 - Math.random()) * 1e3) / rate : 0
    }
    await new Promise(setImmediate)
  }
  for (const connection of connections) connection.end()
  took.sort((a, b) => a - b)
  const at = (share: number) => took[Math.floor(took.length * share)] ?? 0
  return { rate: answers / seconds, p50: at(0.5), p99: at(0.99), errors }
}

if (require.main === module) {
  const [url, rate = '0', seconds = '5'] = process.argv.slice(2)
  void load(url, Number(rate), Number(seconds)).then((found) => process.stdout.write(JSON.stringify(found)))
}
