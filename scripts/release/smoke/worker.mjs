import { parentPort } from 'node:worker_threads'
import { Embedding, manualSeed } from 'tokenbed'

manualSeed(7)
parentPort.postMessage([...new Embedding(4, 2).forward([3]).data])
