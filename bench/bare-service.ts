// A service that answers each request at once with a kilobyte: node bare-service.js. It prints its address. What takes
// long with it takes long because of the machine, of Node and of what puts the load on it.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const ANSWER = Buffer.alloc(1024)

async function serve(): Promise<void> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      response.setHeader('content-type', 'application/octet-stream')
      response.setHeader('content-length', ANSWER.length)
      response.end(ANSWER)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
}

if (require.main === module) void serve()
