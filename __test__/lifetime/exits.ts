// Exits during a training step of many seconds, and reports when it began to exit.

import { Trainer } from '../../index.js'

const [ids, vocabSize] = [Int32Array.from({ length: 20_000 }, (_, i) => i), 20_000]
const trainer = new Trainer(ids, { objective: 'next-token', vocabSize, dim: 256, contextLength: 64, batchSize: 1024 })
void trainer.run()
setTimeout(() => {
  process.stdout.write(String(Date.now()))
  process.exit(7)
}, 600)
