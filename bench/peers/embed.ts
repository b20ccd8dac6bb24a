// Python's packages that make vectors of texts.

import { join } from 'node:path'
import { ROOT } from '../report.js'
import type { Found } from './peer.js'
import { TurnProcess } from './turn-process.js'

/** A package of Python on one thread. */
export function pythonEmbedder(name: 'model2vec' | 'wordllama'): Promise<Found<TurnProcess>> {
  const python = process.env.TOKENBED_PYTHON ?? 'python3'
  return TurnProcess.start({
    name: `Python's ${name}`,
    command: [python, join(ROOT, 'bench', 'peers', 'embed_turns.py'), name],
    why: `${python} does not have it; TOKENBED_PYTHON names a Python that does`,
  })
}
