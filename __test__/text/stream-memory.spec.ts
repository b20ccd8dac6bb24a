import test, { type ExecutionContext } from 'ava'
import { scenario } from '../support/child.js'
import { MB } from '../lifetime/measure.js'

interface Held {
  ids: number
  /** The peak above the beginning, in bytes: of the resident size and of ArrayBuffers. */
  rss: number
  buffers: number
}

/** Ids take four bytes twice. `total` is the size of all batches of the text. */
function isFlat(t: ExecutionContext, { rss, buffers }: Held, total: number): void {
  const shown = `${(rss / MB).toFixed()} MiB resident, ${(buffers / MB).toFixed()} MiB of buffers, of ${(total / MB).toFixed()}`
  t.log(shown)
  t.true(rss < 120 * MB && buffers < 80 * MB, shown)
  t.true(total > 250 * MB, shown)
}

for (const [name, what] of [
  ['file', '200 MB of text'],
  ['fileKept', '200 MB of text, batches left to the garbage collector'],
  ['gzip', '200 MB of text, compressed'],
  ['pieces', '100 MB of text in pieces'],
  ['nodeStream', '100 MB of text by a stream of Node'],
] as const) {
  test.serial(`${what}: memory stays flat`, async (t) => {
    const held = await scenario<Held & Record<string, number>>('lifetime/stream.js', name)
    isFlat(t, held, held.ids * 8)
  })
}

test.serial('text between windows that are far apart is not held', async (t) => {
  const { rss, buffers, ids } = await scenario<Held & Record<string, number>>('lifetime/stream.js', 'sparse')
  t.true(ids >= 8 * 1024 * 8)
  t.true(rss < 120 * MB && buffers < 80 * MB, `${rss} ${buffers}`)
})

for (const [name, what] of [
  ['millionDisposed', 'disposed'],
  ['millionKept', 'left to the garbage collector'],
] as const) {
  test.serial(`a loader of a million windows with stride 1, batches ${what}: memory stays flat`, async (t) => {
    const { windows, states, ...held } = await scenario<Held & Record<string, number>>('lifetime/stream.js', name)
    t.is(windows, Math.floor((1_000_000 - 256) / 64) * 64)
    t.true(states < 16_384, 'a state is small')
    isFlat(t, held, windows * 256 * 8)
  })
}
