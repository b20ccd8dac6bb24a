// A suite of what users' tests may do with tokenbed, in whatever realm the runner runs them. tokenbed is loaded in
// the same realm; Node's own modules and the binary come from another.
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { createContext, runInContext } = require('node:vm')

/* global test, expect, describe, beforeAll, afterAll */
module.exports = function suite(tokenbed) {
  const { Embedding, EmbeddingBag, Generator, Tensor, TokenPositionEmbedding, Tokenizer, Trainer, Vectors } = tokenbed
  const {
    arange,
    createDataLoader,
    loadModel,
    loadSafetensors,
    manualSeed,
    ones,
    randn,
    saveModel,
    saveSafetensors,
    scope,
    streamIds,
    tensor,
    zeros,
  } = tokenbed

  let folder
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'tokenbed-runner-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** A value from a third realm. */
  const foreign = (text) => runInContext(`(${text})`, createContext({}))

  describe('tokens', () => {
    const tokenizer = Tokenizer.load('gpt2')

    test('ids are arrays of this realm', () => {
      const ids = tokenizer.encode('Hello, world!')
      expect(ids).toBeInstanceOf(Uint32Array)
      expect(ids).toEqual(Uint32Array.of(15496, 11, 995, 0))
      expect(ids).toStrictEqual(Uint32Array.of(15496, 11, 995, 0))
      expect(tokenizer.decode(ids)).toBe('Hello, world!')
      expect(tokenizer.decode([15496, 11])).toBe('Hello,')
      const { ids: all, offsets } = tokenizer.encodeBatch(['Hello', 'world'])
      expect([Array.from(all), Array.from(offsets)]).toStrictEqual([
        [15496, 6894],
        [0, 1, 2],
      ])
      expect(tokenizer.tokenBytes(15496)).toStrictEqual(Uint8Array.from(Buffer.from('Hello')))
    })

    test('special tokens by a Set of this realm and another', () => {
      for (const allowedSpecial of [new Set(['<|endoftext|>']), foreign("new Set(['<|endoftext|>'])")]) {
        expect(Array.from(tokenizer.encode('a<|endoftext|>', { allowedSpecial }))).toEqual([64, 50256])
      }
      expect(() => tokenizer.encode('<|endoftext|>')).toThrow(tokenbed.UsageError)
    })

    test('streams of files and of pieces', async () => {
      writeFileSync(join(folder, 'a.txt'), 'Hello, world!')
      const idsOf = async (source) => {
        const ids = []
        for await (const part of streamIds(source, { tokenizer })) {
          expect(part).toBeInstanceOf(Uint32Array)
          ids.push(...part)
        }
        return ids
      }
      async function* pieces() {
        yield 'Hello, '
        yield 'world!'
      }
      expect(await idsOf(pieces())).toEqual([15496, 11, 995, 0])
    })
  })

  describe('tensors', () => {
    test('are equal where their elements are', () => {
      expect(tensor([1, 2])).toEqual(tensor([1, 2]))
      expect(tensor([1, 2])).toStrictEqual(tensor([1, 2]))
      expect(tensor([1, 2])).not.toEqual(tensor([3, 4]))
      expect({ a: [tensor([1, 2])] }).not.toEqual({ a: [tensor([1, 3])] })
      expect(new Embedding(2, 2)).not.toEqual(new Embedding(2, 2))
    })

    test('are made of arrays of every realm, and give arrays of this one', () => {
      for (const numbers of [Float32Array.of(1, 2), foreign('Float32Array.of(1, 2)'), [1, 2], foreign('[1, 2]')]) {
        const x = tensor(numbers)
        expect(x.dtype).toBe('float32')
        expect(x.data).toBeInstanceOf(Float32Array)
        expect(x.toArray()).toStrictEqual([1, 2])
        expect(zeros([2]).set(numbers).toArray()).toEqual([1, 2])
      }
      expect(tensor(foreign('BigInt64Array.of(1n, 2n)')).dtype).toBe('int64')
      expect(JSON.stringify(tensor([[1, 2]]))).toBe('[[1,2]]')
      expect(() => Array.from(tensor([1]))).toThrow(tokenbed.UsageError)
      expect(arange(3).shape).toStrictEqual([3])
      expect(String(ones([2]))).toBe('tensor([1., 1.])')
    })

    test('are given back', () => {
      const x = randn([300, 300])
      const { data } = x
      x.dispose()
      expect(data.length).toBe(0)
      expect(scope(() => ones([2]).mul(2)).toArray()).toEqual([2, 2])
      if (Symbol.dispose) expect(ones([1])[Symbol.dispose]).toBeInstanceOf(Function)
      expect(Reflect.ownKeys(Tensor.prototype)).not.toContain('undefined')
    })

    test('learn', () => {
      manualSeed(1)
      const layer = new Embedding(10, 4, { sparse: true })
      const optimizer = new tokenbed.SparseAdam(layer.parameters(), { lr: 0.1 })
      const before = layer.weight.toArray()
      layer.forward([1, 2]).sum().backward()
      optimizer.step()
      expect(layer.weight.toArray()[1]).not.toEqual(before[1])
      expect(layer.weight.toArray()[3]).toEqual(before[3])
      const other = new tokenbed.SparseAdam(layer.parameters(), { lr: 0.1 })
      other.loadStateDict(optimizer.stateDict())
      expect(other.stateDict().groups).toEqual(optimizer.stateDict().groups)
    })
  })

  describe('layers', () => {
    test('take ids of every realm', async () => {
      manualSeed(123)
      const layer = new Embedding(10, 2)
      const wanted = layer.forward([1, 2]).toArray()
      for (const kind of ['Int8Array', 'Uint8Array', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array']) {
        expect(layer.forward(foreign(`${kind}.of(1, 2)`)).toArray()).toEqual(wanted)
        expect((await layer.forwardAsync(foreign(`${kind}.of(1, 2)`))).toArray()).toEqual(wanted)
      }
      expect(layer.forward(foreign('BigInt64Array.of(1n, 2n)')).toArray()).toEqual(wanted)
      expect(layer.forward(foreign('[1, 2]')).toArray()).toEqual(wanted)
      expect(layer.forward(Int32Array.of(1, 2), foreign('{ shape: [2, 1] }')).shape).toEqual([2, 1, 2])
      expect(() => layer.forward([10])).toThrow(tokenbed.TokenIndexError)
      expect(new EmbeddingBag(10, 2).forward(foreign('{ values: [1, 2, 3], offsets: [0, 2, 3] }')).shape).toEqual([
        2, 2,
      ])
      expect(new TokenPositionEmbedding({ vocabSize: 10, contextLength: 4, dim: 2 }).forward([[1, 2]]).shape).toEqual([
        1, 2, 2,
      ])
    })

    test('an aborted signal of this realm ends work', async () => {
      const controller = new AbortController()
      controller.abort()
      await expect(new Embedding(10, 2).forwardAsync([1], { signal: controller.signal })).rejects.toThrow(
        tokenbed.AbortedError,
      )
    })

    test('states of generators', () => {
      const generator = new Generator(5)
      const state = generator.getState()
      expect(state).toBeInstanceOf(Uint8Array)
      const drawn = randn([3], { generator }).toArray()
      expect(randn([3], { generator: generator.setState(state) }).toArray()).toEqual(drawn)
      expect(randn([3], { generator: generator.setState(Buffer.from(state)) }).toArray()).toEqual(drawn)
    })
  })

  describe('files', () => {
    test('tensors by name, in an object and in Maps', () => {
      const path = join(folder, 'x.safetensors')
      const map = foreign('new Map()')
      for (const tensors of [{ a: ones([2]) }, new Map([['a', ones([2])]]), map.set('a', ones([2]))]) {
        saveSafetensors(path, tensors, { metadata: foreign('{ made: "here" }') })
        const read = loadSafetensors(path)
        expect(read).toBeInstanceOf(Map)
        expect([...read].map(([name, x]) => [name, x.toArray()])).toStrictEqual([['a', [1, 1]]])
      }
      expect(() => saveSafetensors(join(folder, 'none/x.safetensors'), { a: ones([1]) })).toThrow(tokenbed.FileError)
      try {
        loadSafetensors(join(folder, 'missing.safetensors'))
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
        expect(error.cause).toMatchObject({ code: 'ENOENT' })
      }
    })

    test('models, with their words', () => {
      const counts = foreign('[3, 2]')
      const training = foreign('{ epochs: 2, by: ["a"] }')
      saveModel(join(folder, 'model'), {
        objective: 'cbow',
        tensors: foreign('new Map()').set('token.weight', ones([2, 3])),
        vocabulary: foreign('["a", "b"]'),
        counts,
        training,
      })
      const model = loadModel(join(folder, 'model'))
      expect(model.words).toStrictEqual(['a', 'b'])
      expect(model.description.training).toEqual({ epochs: 2, by: ['a'] })
      const vectors = new Vectors(randn([3, 4]), ['a', 'b', 'c'])
      expect(vectors.mostSimilar('a', { topN: 2 }).length).toBe(2)
      expect(vectors.vector('a')).toBeInstanceOf(Float32Array)
      expect(() => vectors.vector('A')).toThrow(tokenbed.UnknownTokenError)
    })
  })

  test('a loader goes on where it was', () => {
    const loader = createDataLoader(foreign('Uint32Array.from({ length: 20 }, (_, i) => i)'), {
      maxLength: 2,
      stride: 2,
      batchSize: 2,
      shuffle: true,
    })
    const [first, second] = loader
    const again = createDataLoader(
      Array.from({ length: 20 }, (_, i) => i),
      { maxLength: 2, stride: 2, batchSize: 2, shuffle: true },
    )
    again.load(JSON.parse(JSON.stringify(loader.state())))
    expect(first.inputs.shape).toEqual([2, 2])
    expect(second.inputs).not.toEqual(first.inputs)
  })

  test('a trainer takes ids of every realm', async () => {
    const of = async (ids) => {
      const trainer = new Trainer(ids, { objective: 'next-token', vocabSize: 5, dim: 4, contextLength: 2, epochs: 1 })
      return (await trainer.run()).tensors['token.weight'].toArray()
    }
    const wanted = await of(Uint32Array.of(1, 2, 3, 4, 1, 2))
    expect(await of(foreign('Uint32Array.of(1, 2, 3, 4, 1, 2)'))).toEqual(wanted)
    expect(await of(foreign('Int32Array.of(1, 2, 3, 4, 1, 2)'))).toEqual(wanted)
  })
}
