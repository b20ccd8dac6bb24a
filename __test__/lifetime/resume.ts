// A loader that takes a state from the command line and goes on with it.

import { createDataLoader, Generator } from '../../index.js'
import { orders } from '../support/epochs.js'

const { state, options, own } = JSON.parse(process.argv[2])
const loader = createDataLoader(
  Array.from({ length: 24 }, (_, i) => i),
  { ...options, ...(own ? { generator: new Generator(99) } : {}) },
)
process.stdout.write(JSON.stringify(orders(loader.load(state), 3)))
