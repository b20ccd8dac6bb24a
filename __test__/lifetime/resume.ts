// Continues a loader from a state that is given on the command line.

import { createDataLoader, Generator } from '../../index.js'
import { orders } from '../support/epochs.js'

const { state, options, own } = JSON.parse(process.argv[2])
const loader = createDataLoader(
  Array.from({ length: 24 }, (_, i) => i),
  { ...options, ...(own ? { generator: new Generator(99) } : {}) },
)
process.stdout.write(JSON.stringify(orders(loader.load(state), 3)))
