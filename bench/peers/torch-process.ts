// PyTorch in a process of its own that takes turns with this one.

import { join } from 'node:path'
import { ROOT } from '../report.js'
import type { Found } from './peer.js'
import { TurnProcess } from './turn-process.js'

export type TorchProcess = TurnProcess

export const TorchProcess = {
  /** Starts a script of this folder that takes turns. */
  start(script = 'torch_lookup.py'): Promise<Found<TorchProcess>> {
    const who = process.env.TOKENBED_PYTHON ? 'TOKENBED_PYTHON' : 'python3'
    return TurnProcess.start({
      name: 'PyTorch',
      command: [process.env.TOKENBED_PYTHON ?? 'python3', join(ROOT, 'bench', 'peers', script)],
      why: `${who} does not have it; set TOKENBED_PYTHON to a Python that does`,
    })
  },
}
