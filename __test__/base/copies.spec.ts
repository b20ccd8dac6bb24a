import test from 'ava'
import { join } from 'node:path'
import * as here from '../../index.js'
import { root } from '../support/golden.js'
import { refuses } from '../support/errors.js'

/** The package, loaded once more. */
function anotherCopy(): typeof here {
  const dist = join(root, 'dist')
  const kept = Object.entries(require.cache).filter(([path]) => path.startsWith(dist) && !path.endsWith('.node'))
  for (const [path] of kept) delete require.cache[path]
  try {
    return require(join(dist, 'index.js')) as typeof here
  } finally {
    for (const path of Object.keys(require.cache)) if (path.startsWith(dist)) delete require.cache[path]
    for (const [path, loaded] of kept) require.cache[path] = loaded
  }
}

test('an object of another copy is named as that', (t) => {
  const there = anotherCopy()
  t.not(there.Tensor, here.Tensor)
  const foreign = there.randn([3, 4])
  const says = ['a Tensor of another copy of tokenbed', join(root, 'dist')]
  refuses(t, () => here.topK(foreign as never, foreign as never, { k: 1 }), 'USAGE', 'must be a tensor', ...says)
  refuses(t, () => here.Embedding.fromPretrained(foreign as never), 'USAGE', ...says)
  refuses(t, () => here.ones([3, 4]).add(foreign as never), 'USAGE', ...says)
  const tokenizer = there.Tokenizer.load('gpt2')
  refuses(t, () => new here.Vectors(here.randn([3, 4]), tokenizer as never), 'USAGE', 'a Tokenizer of another copy')
  t.deepEqual(here.tensor([...foreign.data].map(Number), { shape: [3, 4] }).toArray(), foreign.toArray())
})

test('what only claims to be of another copy is shown as it is', (t) => {
  const hostile = {
    get [Symbol.for('tokenbed.copy')]() {
      throw new Error('no')
    },
  }
  refuses(t, () => here.Embedding.fromPretrained(hostile as never), 'USAGE', 'must be a tensor')
})
