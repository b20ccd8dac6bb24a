// A loader over a pipe without a writer: node loader-pipe.js path

import { spawnSync } from 'node:child_process'
import { createDataLoader, type TokenbedError } from '../../index.js'

const [path] = process.argv.slice(2)
spawnSync('mkfifo', [path])
try {
  createDataLoader({ files: [path] })
} catch (error) {
  const { code, message } = error as TokenbedError
  process.stdout.write(`${code} ${message}\n`)
}
