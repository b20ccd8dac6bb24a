// Puts load on a service by autocannon, in a process of its own: node load.js URL [requests a second] [seconds]. It
// prints JSON.

import type { EventEmitter } from 'node:events'
import { find } from './peers/peer.js'

const CONNECTIONS = 16
const BODY = JSON.stringify({ text: 'Call me Ishmael. Some years ago, never mind how long precisely' })

/** What a run found. */
export interface Load {
  /** Requests that were answered in a second. */
  rate: number
  /** Microseconds. */
  p50: number
  p99: number
  /** Requests that were not answered, or not with 200. */
  errors: number
}

interface Options {
  url: string
  connections: number
  duration: number
  method: 'POST'
  headers: Record<string, string>
  body: string
  /** Requests a second of all connections; without it each sends the next as soon as one is answered. */
  overallRate?: number
}

interface Result {
  requests: { average: number }
  errors: number
  non2xx: number
}

type Autocannon = (options: Options, done: (error: Error | null, result: Result) => void) => EventEmitter

/** The program that puts load on services, with its version, or why it is missing. */
export const autocannon = () =>
  find('autocannon', (load, version) => ({ version, start: load('autocannon') as Autocannon }))

/** Sends requests for so many seconds: as fast as they are answered, or at a rate. */
function load(url: string, rate: number, seconds: number): Promise<Load> {
  const found = autocannon()
  if ('why' in found) throw new Error(found.why)
  const options: Options = {
    url: new URL('/embed', url).href,
    connections: CONNECTIONS,
    duration: seconds,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/octet-stream' },
    body: BODY,
    ...(rate > 0 && { overallRate: rate }),
  }
  // Its own percentiles are whole milliseconds.
  const took: number[] = []
  return new Promise((resolve, reject) => {
    const running = found.peer.start(options, (error, { requests, errors, non2xx }) => {
      if (error !== null) return reject(error)
      took.sort((a, b) => a - b)
      const at = (share: number) => (took[Math.floor(took.length * share)] ?? 0) * 1e3
      resolve({ rate: requests.average, p50: at(0.5), p99: at(0.99), errors: errors + non2xx })
    })
    running.on('response', (_client: unknown, _status: number, _bytes: number, milliseconds: number) =>
      took.push(milliseconds),
    )
  })
}

if (require.main === module) {
  const [url, rate = '0', seconds = '5'] = process.argv.slice(2)
  void load(url, Number(rate), Number(seconds)).then((found) => process.stdout.write(JSON.stringify(found)))
}
