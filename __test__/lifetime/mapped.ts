// Tables in a mapped file.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { arange, Embedding, loadSafetensors, memoryUsage, saveSafetensors, zeros } from '../../index.js'
import { main } from '../support/child.js'
import { digest } from '../support/compare.js'
import { temporaryFolder } from '../support/temporary.js'
import { anonymous, collect, MB } from './measure.js'

const path = join(temporaryFolder(), 'table.safetensors')
const make = () =>
  saveSafetensors(path, {
    table: arange(16 * MB)
      .to('float32')
      .reshape(-1, 256),
    more: zeros([4]),
  })
const bytes = () => digest(readFileSync(path))

void main({
  /** Writes stay in this process, and another load of the file does not see them. */
  copyOnWrite: () => {
    make()
    const before = bytes()
    const [a, b] = [loadSafetensors(path).get('table')!, loadSafetensors(path).get('table')!]
    a.data[0] = 5
    a.set([6], 256)
    Embedding.fromPretrained(a, { maxNorm: 1 }).forward([3])
    const seen = [a, b].map((x) => [x.data[0], x.data[256], x.data[3 * 256]])
    const again = loadSafetensors(path).get('table')!
    return { seen, again: again.data[256], unchanged: bytes() === before }
  },

  /** Mapped bytes are counted separately, read when touched, and unmapped with the last tensor. */
  counted: async () => {
    make()
    await collect()
    const before = { ...memoryUsage(), anonymous: anonymous() }
    const loaded = loadSafetensors(path)
    const table = loaded.get('table')!
    const layer = Embedding.fromPretrained(table)
    const last = layer.forward([65535]).toArray()[0][255]
    const during = { ...memoryUsage(), anonymous: anonymous() }
    table.dispose()
    layer.weight.dispose()
    const half = memoryUsage().mapped
    loaded.get('more')!.dispose()
    const after = memoryUsage().mapped
    return {
      last,
      mapped: during.mapped,
      tables: during.tables,
      grown: during.anonymous - before.anonymous,
      half,
      after,
    }
  },

  /** The file is unmapped by the garbage collector if nobody disposes the tensor. */
  dropped: async () => {
    make()
    loadSafetensors(path)
    void loadSafetensors(path).get('table')!.data[5]
    const before = memoryUsage().mapped
    await collect()
    return { before, after: memoryUsage().mapped }
  },
})
