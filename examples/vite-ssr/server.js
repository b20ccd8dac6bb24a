// A server that renders one page, on a free port. With `--once` it requests the page itself, prints it and ends.
import { createServer } from 'node:http'
import { render } from './dist/entry-server.js'

const server = createServer((request, response) => {
  const text = new URL(request.url, 'http://localhost').searchParams.get('text') ?? 'Hello, world!'
  response.setHeader('content-type', 'text/html; charset=utf-8').end(render(text))
})
async function ready() {
  const address = `http://127.0.0.1:${server.address().port}/`
  if (!process.argv.includes('--once')) return console.log(address)
  console.log(await (await fetch(address)).text())
  server.close()
}

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => void ready())
