// A registry on this machine that has only the packed packages. Installing from it is what users do: metadata, lock
// files, and the choice among platforms are up to the package manager. It runs in a thread, so that the script can
// wait for programs.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename } from 'node:path'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { capture } from '../process.mjs'

/** Serves these tarballs; returns the registry's address, and a function that ends it. */
export function serve(tarballs) {
  const worker = new Worker(new URL(import.meta.url), { workerData: tarballs })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', (address) => resolve({ address, close: () => worker.terminate() }))
  })
}

function listen(tarballs) {
  const byName = new Map()
  for (const path of tarballs) {
    const bytes = readFileSync(path)
    const manifest = JSON.parse(capture(['tar', '-xzOf', path, 'package/package.json']).stdout)
    byName.set(manifest.name, [...(byName.get(manifest.name) ?? []), { manifest, bytes, file: basename(path) }])
  }
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname).slice(1)
    const all = [...byName.values()].flat()
    const tarball = all.find(({ file }) => path === `-/${file}`)
    if (tarball) return response.setHeader('content-type', 'application/octet-stream').end(tarball.bytes)
    const versions = byName.get(path)
    if (!versions) return response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}')
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify(packument(path, versions, `http://${request.headers.host}`)))
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(`http://127.0.0.1:${server.address().port}/`))
}

function packument(name, versions, address) {
  const of = ({ manifest, bytes, file }) => {
    const hash = (algorithm, encoding) => createHash(algorithm).update(bytes).digest(encoding)
    return {
      ...manifest,
      dist: {
        tarball: `${address}/-/${file}`,
        shasum: hash('sha1', 'hex'),
        integrity: `sha512-${hash('sha512', 'base64')}`,
      },
    }
  }
  const time = { created: '2020-01-01T00:00:00.000Z', modified: '2020-01-01T00:00:00.000Z' }
  for (const { manifest } of versions) time[manifest.version] = time.created
  return {
    name,
    'dist-tags': { latest: versions.at(-1).manifest.version },
    versions: Object.fromEntries(versions.map((one) => [one.manifest.version, of(one)])),
    time,
  }
}

if (!isMainThread && Array.isArray(workerData)) listen(workerData)
