// The example of a service: its answers, its limits, its measures, and that it stops without losing a request.

import test from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const example = join(root, 'examples/service')
const isInstalled = existsSync(join(example, 'node_modules/fastify'))
/** `test` where the packages of the example are installed: `npm ci` in its folder. */
const here = isInstalled ? test.serial : test.skip

/** A project with the example, its packages and this package. */
function project(): string {
  const folder = mkdtempSync(join(temporaryFolder(), 'service-'))
  for (const name of ['package.json', 'server.js', 'service.js', 'load.js'])
    cpSync(join(example, name), join(folder, name))
  mkdirSync(join(folder, 'node_modules'))
  for (const name of readdirSync(join(example, 'node_modules')).filter((name) => !name.startsWith('.')))
    symlinkSync(join(example, 'node_modules', name), join(folder, 'node_modules', name), 'junction')
  symlinkSync(root, join(folder, 'node_modules/tokenbed'), 'junction')
  const model = `import { tensor } from 'tokenbed'
export const open = () => ({ dim: 3, embedAsync: async (texts) => {
  await new Promise((resolve) => setTimeout(resolve, Number(process.env.DELAY_MS ?? 0)))
  return tensor(texts.map((text) => [text.length, 1, -0.5]), { dtype: 'float32' })
} })`
  writeFileSync(join(folder, 'model.mjs'), model)
  return folder
}

async function started(
  env: Record<string, string> = {},
): Promise<{ url: string; child: ChildProcess; folder: string }> {
  const folder = project()
  const child = spawn(process.execPath, ['--preserve-symlinks', 'server.js'], {
    cwd: folder,
    env: { ...process.env, MODEL: 'model.mjs', PORT: '0', DRAIN_MS: '500', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const [said] = await once(child.stdout, 'data')
  return { url: String(said).trim(), child, folder }
}

const post = (url: string, body: unknown, headers = {}) =>
  fetch(`${url}/embed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  t0(await gone)
}
const t0 = ([code, signal]: unknown[]) => {
  if (code !== 0) throw new Error(`the service ended with ${String(code ?? signal)}`)
}

here('JSON and bytes, health, measures, and what is refused', async (t) => {
  const { url, child } = await started()
  const json = await post(url, { texts: ['ab', 'cde'] })
  t.is(json.status, 200)
  t.deepEqual(await json.json(), {
    shape: [2, 3],
    vectors: [
      [2, 1, -0.5],
      [3, 1, -0.5],
    ],
  })
  const bytes = await post(url, { text: 'abcd' }, { accept: 'application/octet-stream' })
  t.is(bytes.headers.get('x-shape'), '1,3')
  t.deepEqual([...new Float32Array(await bytes.arrayBuffer())], [4, 1, -0.5])
  t.deepEqual(await (await fetch(`${url}/health`)).json(), { ok: true, inFlight: 0 })
  const refused = [
    {},
    { text: 'a', texts: ['b'] },
    { texts: [] },
    { texts: [{}] },
    { other: 1 },
    '{',
    { texts: Array(1025).fill('a') },
  ]
  for (const body of refused) t.is((await post(url, body)).status, 400, JSON.stringify(body).slice(0, 80))
  t.is((await post(url, { text: 'a'.repeat(2 ** 20) })).status, 413)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  t.regex(metrics, /^tokenbed_batches_total 2$/m)
  t.regex(metrics, /^tokenbed_texts_total 3$/m)
  t.regex(metrics, /^tokenbed_vector_bytes_total 36$/m)
  t.regex(metrics, /^tokenbed_request_seconds_count 2$/m)
  await stop(child)
})

here('beyond the limit of requests that are worked on the answer is 429', async (t) => {
  const { url, child } = await started({ MAX_IN_FLIGHT: '4', DELAY_MS: '1000' })
  const answers = await Promise.all(Array.from({ length: 12 }, () => post(url, { text: 'a' })))
  const count = (status: number) => answers.filter((answer) => answer.status === status).length
  t.deepEqual([count(200), count(429)], [4, 8])
  t.is(answers.find(({ status }) => status === 429)!.headers.get('retry-after'), '1')
  t.regex(await (await fetch(`${url}/metrics`)).text(), /^tokenbed_requests_refused_total 8$/m)
  await stop(child)
})

here('no request is lost when it stops under load', async (t) => {
  const { url, child } = await started({ DELAY_MS: '20' })
  const statuses: number[] = []
  let isStopping = false
  const client = async () => {
    while (!isStopping) {
      const answer = await post(url, { text: 'a text' })
      statuses.push(answer.status)
      await answer.arrayBuffer()
      // As those who balance the load do: a service that stops gets nothing more.
      if (answer.headers.get('connection') === 'close') isStopping = true
    }
  }
  const clients = Array.from({ length: 16 }, client)
  while (statuses.length < 50) await new Promise((resolve) => setTimeout(resolve, 10))
  const gone = stop(child)
  await Promise.all(clients)
  await gone
  t.true(isStopping)
  t.deepEqual([...new Set(statuses)], [200])
})

here('the load program prints the latency', async (t) => {
  const { url, child, folder } = await started()
  const load = spawn(process.execPath, ['load.js', url, '100', '2'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  load.stdout.on('data', (text) => (said += text))
  await once(load, 'exit')
  const report = JSON.parse(said)
  t.log(said.trim())
  t.like(report, { errors: 0, timeouts: 0, non2xx: 0 })
  t.true(report.requestsPerSecond > 20)
  await stop(child)
})
