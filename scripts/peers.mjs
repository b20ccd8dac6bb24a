// Installs what the benchmarks compare with, in bench/ alone, then runs them: node scripts/peers.mjs [arguments]
import { join } from 'node:path'
import { root, run, runIfMain } from './process.mjs'
import { runProgram } from './run.mjs'

await runIfMain(import.meta, () => {
  console.error('peers: bench/node_modules')
  // Some peers download binaries for a GPU that no benchmark uses: onnxruntime-node, unless it is told not to.
  process.env.ONNXRUNTIME_NODE_INSTALL = 'skip'
  run(['npm', 'install', '--prefix', join(root, 'bench'), '--no-save', '--no-audit', '--no-fund', '--loglevel', 'error'])
  runProgram(['bench/main.js', ...process.argv.slice(2)])
})
