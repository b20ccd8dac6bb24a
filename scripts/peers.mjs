// Installs the packages that the benchmarks compare with, in bench/ only, then runs the benchmarks:
// node scripts/peers.mjs [arguments]
import { join } from 'node:path'
import { root, run, runIfMain } from './process.mjs'
import { runProgram } from './run.mjs'

await runIfMain(import.meta, () => {
  console.error('peers: bench/node_modules')
  // Some peers download binaries for a GPU, which no benchmark uses. This tells onnxruntime-node not to.
  process.env.ONNXRUNTIME_NODE_INSTALL = 'skip'
  run([
    'npm',
    'install',
    '--prefix',
    join(root, 'bench'),
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--loglevel',
    'error',
  ])
  runProgram(['bench/main.js', ...process.argv.slice(2)])
})
