// A process that ends in a given way while it writes: node writers.js how path

import { TensorWriter } from '../../index.js'
import { peakOf } from './measure.js'

const [how, path] = process.argv.slice(2)
const rows = new Float32Array(3 * 100_000)
const specs = { x: { dtype: 'float32', shape: [3] } } as const

function start(): TensorWriter {
  const writer = new TensorWriter(path, specs)
  for (let i = 0; i < 5; i++) writer.write('x', rows)
  process.stdout.write('written ')
  return writer
}

async function main(): Promise<void> {
  switch (how) {
    case 'exits':
      start()
      process.exit(3)
    case 'throws': {
      const writer = start()
      writer.write('x', [] as never)
      return
    }
    case 'is interrupted': {
      // Does what a command does: its own handler runs, then the process ends.
      const writer = start()
      process.on('SIGINT', () => {
        writer.abort()
        process.exit(130)
      })
      process.kill(process.pid, 'SIGINT')
      setInterval(() => writer.write('x', rows), 1)
      return
    }
    case 'collects it': {
      start()
      for (let i = 0; i < 10; i++) {
        gc!()
        await new Promise((resolve) => setImmediate(resolve))
      }
      return
    }
    case 'writes much': {
      // 240 MB go straight into the file, 60 MB beside it.
      const writer = new TensorWriter(path, { ...specs, y: { dtype: 'int32', shape: [] } })
      const numbers = new Int32Array(rows.length / 4)
      const write = () => writer.write('x', rows).write('y', numbers)
      write()
      const before = process.memoryUsage.rss()
      const peak = peakOf(write, 200)
      writer.close()
      process.stdout.write(`${Math.max(peak, process.memoryUsage.rss()) - before}`)
      return
    }
    case 'is killed': {
      start()
      process.kill(process.pid, 'SIGKILL')
    }
  }
}

void main()
