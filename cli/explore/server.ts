// Gives the page and its data to a browser on this machine, and to nobody else.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WorkFailed, WrongUse, isSystemError, lineOf, reasonOf } from '../terminal/failure.js'

/** What a path of the page gives: a text or bytes, or a value as JSON. */
type Answer = (
  rest: string,
  query: URLSearchParams,
) => Promise<string | Uint8Array | object> | string | Uint8Array | object

/** The answer that a path has, if the path asks for something that is not there. */
export class NotThere extends Error {}

/** Answers by the first part of the path; '' is the page. */
export type Answers = Readonly<Record<string, Answer>>

const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

/**
 * Listens on 127.0.0.1 at a port, or at any free one, and returns the address of the page. The address has a secret in
 * it, and requests must name this host and port as theirs: a page of another site cannot ask by a name of its own that
 * leads here, nor guess the secret.
 */
export async function serve(answers: Answers, port: number): Promise<{ url: string; server: Server }> {
  const secret = randomBytes(16).toString('hex')
  const server = createServer((request, response) => void answer(request, response, answers, secret))
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'EADDRINUSE')
      throw new WorkFailed(`--port ${port}: another program uses it; leave --port out for one that is free`, {
        cause: error,
      })
    throw new WrongUse(`--port ${port}: ${reasonOf(error)}`, { cause: error })
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${secret}/`, server }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  answers: Answers,
  secret: string,
): Promise<void> {
  const end = (status: number, type: string, body: string | Uint8Array) => {
    response.writeHead(status, { ...HEADERS, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const refuse = (status: number, why: string) => end(status, 'text/plain; charset=utf-8', `${why}\n`)
  try {
    if (!isOwn(request)) return refuse(403, 'This server answers only the page that it gives.')
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'Only GET is answered.')
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
    const [, said = '', name = '', ...rest] = pathname.split('/')
    if (!isSame(said, secret) || !(name in answers) || !Object.hasOwn(answers, name))
      return refuse(404, 'There is nothing here.')
    const found = await answers[name](rest.join('/'), searchParams)
    if (typeof found === 'string') return end(200, 'text/html; charset=utf-8', found)
    if (found instanceof Uint8Array) return end(200, 'application/octet-stream', found)
    return end(200, 'application/json', JSON.stringify(found))
  } catch (error) {
    if (response.headersSent) return void response.destroy()
    refuse(error instanceof NotThere ? 404 : 500, lineOf(error))
  }
}

/** Whether the request is for this very host, and comes from no other site. */
function isOwn({ headers, socket }: IncomingMessage): boolean {
  const hosts = [`127.0.0.1:${socket.localPort}`, `localhost:${socket.localPort}`]
  if (!hosts.includes(headers.host ?? '')) return false
  if (headers.origin !== undefined && !hosts.some((host) => headers.origin === `http://${host}`)) return false
  return !['cross-site', 'same-site'].includes(String(headers['sec-fetch-site'] ?? 'none'))
}

function isSame(said: string, secret: string): boolean {
  const [a, b] = [Buffer.from(said), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}
