// Several tables of bags that one call looks up: the features of a batch, side by side.

import type { Backward } from '../autograd/tape.js'
import type { ResultType } from '../base/dtype.js'
import { Contents } from '../base/contents.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import { lengthOf } from '../base/realm.js'
import { shown } from '../base/shape.js'
import { checkOptions, checkText, eachOf, isArray, isObject, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { failureOf, native } from '../native/native.js'
import { narrow } from '../ops/movement.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { Tensor } from '../tensor/tensor.js'
import { lookUp } from './async.js'
import { bagWay, operandOf } from './backward.js'
import { EmbeddingBag, type BagOptions } from './bag.js'
import type { Keeping } from './kept-ids.js'
import { loadInto, type Layer } from './layer.js'
import { readBags, type Bags, type GivenBags } from './read-bags.js'
import { resultFor, resultType, settled } from './result.js'
import { TABLE_OPTIONS } from './table.js'

/** A table of a collection: a new one, drawn as by `new EmbeddingBag`. */
export interface BagTable extends Omit<BagOptions, 'includeLastOffset'> {
  /** The name of the table. */
  name: string
  /** Number of rows. */
  numEmbeddings: number
  /** Number of elements of a row. */
  embeddingDim: number
  /** The features that are looked up in it; default: one of the table's name. */
  features?: readonly string[]
  /** How the vectors of a bag are combined; default 'sum', as in TorchRec. */
  mode?: 'sum' | 'mean' | 'max'
}

/** A table of a collection that exists already, quantized ones included. */
export interface GivenBagTable {
  /** The name of the table. */
  name: string
  /** The layer, which the collection shares. */
  bag: EmbeddingBag
  /** The features that are looked up in it; default: one of the table's name. */
  features?: readonly string[]
}

/** All features of a batch end to end, as TorchRec's KeyedJaggedTensor has them. */
export interface KeyedBags {
  /** The names of the features. */
  keys: readonly string[]
  /** The ids of all bags: those of the first feature, then those of the second. */
  values: Ids
  /** The number of ids in each bag, (keys * bags); or give `offsets`. */
  lengths?: Ids
  /** Where each bag begins, and at last the number of ids, (keys * bags + 1). */
  offsets?: Ids
}

export interface CollectionOptions {
  /** Factors of ids, by feature, as `perSampleWeights` of EmbeddingBag; only for tables with mode 'sum'. */
  perSampleWeights?: Readonly<Record<string, Tensor>>
  /** A tensor of the result's shape to write into. Nothing is allocated then, and no gradient is recorded. */
  out?: Tensor
  /** The type of the result; default: the type of `out`, or else float32. */
  dtype?: ResultType
}

/** The options of `forwardAsync`. */
export interface CollectionAsyncOptions extends Omit<CollectionOptions, 'out'> {
  /** Ends the lookup, which then rejects with an AbortedError whose cause is the signal's reason. */
  signal?: AbortSignal
}

type Report = Parameters<typeof failureOf>[0]

/** A feature: its table, and where its vectors stand in a result. */
interface Feature {
  readonly name: string
  readonly bag: EmbeddingBag
  readonly at: number
}

const NAME = 'EmbeddingBagCollectionBackward'
const TABLE = ['name', 'numEmbeddings', 'embeddingDim', 'features', 'mode', ...TABLE_OPTIONS]

const CONTENTS = new Contents<EmbeddingBagCollection>('EmbeddingBagCollection', {
  instead: 'use stateDict() for its tables, saveSafetensors for files',
})

/**
 * Tables of bags that are looked up together: one call takes all features of a batch and gives their vectors side by
 * side, (bags, the sum of all dims), with the bits that an EmbeddingBag of each table gives. TorchRec's
 * `EmbeddingBagCollection`.
 *
 * Vectors stand in the order of the tables and of their features, as `keys` and `dims` say. A feature that is looked up
 * in several tables has the key `feature@table`.
 *
 * ```ts
 * const tables = new EmbeddingBagCollection([
 *   { name: 'items', numEmbeddings: 100_000, embeddingDim: 64, features: ['seen', 'bought'] },
 *   { name: 'country', numEmbeddings: 250, embeddingDim: 8 },
 * ])
 * const x = tables.forward({ seen: [[1, 2], [3]], bought: [[], [7]], country: [[40], [41]] }) // (2, 136)
 * ```
 */
export class EmbeddingBagCollection implements Layer {
  /** The tables by name. */
  readonly tables: Readonly<Record<string, EmbeddingBag>>
  /** The names of the vectors in a result, in order. */
  readonly keys: readonly string[]
  /** The number of elements of each of them. */
  readonly dims: readonly number[]
  /** The sum of `dims`: the number of columns of a result. */
  readonly embeddingDim: number
  readonly #features: readonly Feature[]
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * @throws UsageError for an option that does not exist, for a name that is given twice, and as `new EmbeddingBag`
   * does.
   */
  constructor(tables: readonly (BagTable | GivenBagTable)[]) {
    const where = 'EmbeddingBagCollection'
    if (!isArray(tables) || tables.length === 0)
      throw new UsageError(
        `${where}: give a list of tables, { name, numEmbeddings, embeddingDim }, not ${show(tables)}`,
      )
    const checked = eachOf(tables, (table, i) => checkTable(table, `${where}: table ${i}`))
    const named = new Map<string, { bag: EmbeddingBag; features: readonly string[] }>()
    for (const { name, features, make } of checked) {
      if (named.has(name)) throw new UsageError(`${where}: two tables are called "${name}"`)
      named.set(name, { bag: make(), features })
    }
    this.tables = Object.freeze(Object.fromEntries([...named].map(([name, { bag }]) => [name, bag])))
    const uses = new Map<string, number>()
    for (const { features } of checked) for (const name of features) uses.set(name, (uses.get(name) ?? 0) + 1)
    const [all, keys]: [Feature[], string[]] = [[], []]
    let at = 0
    for (const [table, { bag, features }] of named) {
      for (const name of features) {
        all.push({ name, bag, at })
        keys.push(uses.get(name)! > 1 ? `${name}@${table}` : name)
        at += bag.embeddingDim
      }
    }
    this.#features = all
    this.keys = Object.freeze(keys)
    this.dims = Object.freeze(all.map(({ bag }) => bag.embeddingDim))
    this.embeddingDim = at
  }

  /**
   * Looks up all features of a batch. Each is given by its name in any form that `EmbeddingBag.forward` takes as one
   * argument, and all have the same number of bags; or all at once as `{ keys, values, lengths }`, in TorchRec's
   * layout.
   *
   * @throws UsageError for a feature that is missing or that no table has; TokenIndexError, ShapeError and DTypeError as
   * `EmbeddingBag.forward` does, with the feature's name.
   */
  forward(features: Readonly<Record<string, Ids | Bags>> | KeyedBags, options?: CollectionOptions): Tensor {
    const where = 'EmbeddingBagCollection.forward'
    const { perSampleWeights, out, dtype } = checkOptions(options, ['perSampleWeights', 'out', 'dtype'], where)
    const given = this.#read(features, where)
    const factors = this.#weights(perSampleWeights, given, where)
    const [count] = given.map(({ read }) => read.bags)
    const type = resultType(dtype, out, 'float32', where)
    const result = resultFor(out, [count], this.embeddingDim, where, type)
    const fail = (name: string | null, bags: GivenBags | readonly GivenBags[]): never => {
      if (out === undefined) result.dispose()
      throw this.#failed(where, name, bags)
    }
    const ready = this.#features.every(
      ({ bag, name }, i) => bag.table.renormalized(given[i].read.ids.array, result, where) || fail(name, given[i]),
    )
    const operands = this.#features.map(({ bag: { table } }, i) => {
      const { ids, offsets, weights } = operandOf(given[i].read, factors[i])
      return { lookup: table.lookup(type), weight: table.crossing, ids, offsets, weights }
    })
    const done = ready && native.bagsForward(operands, count, type, result.operand())
    if (!done) fail(null, given)
    return settled(done, result, out, [], this.#follows(factors), NAME, (save) =>
      this.#way(given, factors, { save, pooled: true }),
    )
  }

  /**
   * `forward` on another thread. `Embedding.forwardAsync` explains what happens with ids, tables, results and signals;
   * offsets and weights are copied at the call, as ids are.
   */
  async forwardAsync(
    features: Readonly<Record<string, Ids | Bags>> | KeyedBags,
    options?: CollectionAsyncOptions,
  ): Promise<Tensor> {
    const where = 'EmbeddingBagCollection.forwardAsync'
    const { signal, ...rest } = checkOptions(options, ['perSampleWeights', 'dtype', 'signal'], where)
    const given = this.#read(features, where)
    const factors = this.#weights(rest.perSampleWeights, given, where)
    const [count] = given.map(({ read }) => read.bags)
    const dtype = resultType(rest.dtype, undefined, 'float32', where)
    // A table of several features is read once.
    const tables = [...new Set(this.#features.map(({ bag }) => bag.table.weight))]
    return lookUp({
      where,
      signal,
      ids: [count],
      dim: this.embeddingDim,
      dtype,
      tables,
      follows: this.#follows(factors),
      prepare: () => {
        for (const [i, { bag, name }] of this.#features.entries())
          if (!bag.table.renormalized(given[i].read.ids.array, null, where)) throw this.#failed(where, name, given[i])
      },
      work: (...handles) => {
        const held = this.#features.map(({ bag: { table } }, i) => {
          const { ids, offsets, weights: factor } = operandOf(given[i].read, factors[i])
          return {
            lookup: table.lookup(dtype),
            weight: handles[tables.indexOf(table.weight)],
            ids,
            offsets,
            weights: factor,
          }
        })
        return native.bagsWork(held, count, dtype)
      },
      now: () => this.forward(features, rest),
      failed: (failure) => this.#failed(where, null, given, failure),
      name: NAME,
      way: (save) => this.#way(given, factors, { save, pooled: false }),
    })
  }

  /** What the result follows from. */
  #follows(factors: readonly (Tensor | null)[]): Tensor[] {
    return this.#features.flatMap(({ bag }, i) => {
      const weights = factors[i]
      return weights === null ? bag.table.weights : [bag.table.weight, weights]
    })
  }

  #way(given: readonly GivenBags[], factors: readonly (Tensor | null)[], keeping: Keeping): Backward {
    const ways = this.#features.map(({ bag, at }, i) => {
      const settings = { table: bag.table, bags: given[i].read, weights: factors[i], mode: bag.mode }
      return { way: bagWay(settings, given[i].own, keeping), at, dim: bag.embeddingDim }
    })
    return waysBack(ways, factors)
  }

  /** The vectors of each feature out of a result, by the names in `keys`, each (bags, dim). */
  split(result: Tensor): Record<string, Tensor> {
    const where = 'EmbeddingBagCollection.split'
    if (!(result instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(result)}`)
    if (result.shape.length !== 2 || result.shape[1] !== this.embeddingDim)
      throw new ShapeError(`${where}: expected a result (bags, ${this.embeddingDim}), not ${shown(result.shape)}`)
    return Object.fromEntries(
      this.#features.map(({ at }, i) => [this.keys[i], result.narrow(1, at, this.dims[i])] as const),
    )
  }

  /** The error of a native call's failure, with the name of the feature at fault. */
  #failed(
    where: string,
    name: string | null,
    given: GivenBags | readonly GivenBags[],
    report: Report = native.takeFailure(),
  ): Error {
    const number = report?.feature ?? null
    const of = name ?? (number === null ? null : this.#features[number].name)
    const bags = 'read' in given ? given : number === null ? null : given[number]
    if (!report || of === null) return failureOf(report)
    const what = `feature "${of}": ${report.what ?? 'id'}`
    const message = `${where}: feature "${of}": ${report.message}`
    return failureOf({ ...report, what, message }, bags?.read.ids.shape)
  }

  /** The bags of each feature, in the order of `keys`. */
  #read(features: unknown, where: string): GivenBags[] {
    if (!isObject(features) || isArray(features) || features instanceof Tensor)
      throw new UsageError(`${where}: give an object of bags by feature, not ${show(features)}`)
    const named = isKeyed(features) ? divided(features, where) : (features as Record<string, Ids | Bags>)
    const known = new Set(this.#features.map(({ name }) => name))
    for (const name of Object.keys(named)) {
      if (known.has(name)) continue
      throw new UsageError(`${where}: no table has a feature "${name}"; known: ${[...known].join(', ')}`)
    }
    const read = new Map<string, GivenBags>()
    let first: string | undefined
    for (const name of known) {
      if (!Object.hasOwn(named, name)) throw new UsageError(`${where}: the feature "${name}" is missing`)
      const bags = readBags(named[name], undefined, false, `${where}: feature "${name}"`)
      first ??= name
      const wanted = (read.get(first) ?? bags).read.bags
      if (bags.read.bags !== wanted) {
        throw new ShapeError(
          `${where}: feature "${name}" has ${bags.read.bags} bags, and "${first}" has ${wanted}: all features must have as many`,
        )
      }
      read.set(name, bags)
    }
    return this.#features.map(({ name }) => read.get(name)!)
  }

  #weights(weights: unknown, given: readonly GivenBags[], where: string): (Tensor | null)[] {
    if (weights === undefined) return this.#features.map(() => null)
    if (!isObject(weights) || isArray(weights) || weights instanceof Tensor)
      throw new UsageError(`${where}: perSampleWeights must be an object of tensors by feature, not ${show(weights)}`)
    const known = this.#features.map(({ name }) => name)
    const named = checkOptions(weights as Record<string, Tensor>, known, `${where}: perSampleWeights`)
    return this.#features.map(({ name, bag }, i) => {
      const factors = named[name]
      return factors === undefined ? null : bag.weightsOf(factors, given[i], `${where}: feature "${name}"`)
    })
  }

  /** The tables, in order. */
  parameters(): Tensor[] {
    return Object.values(this.tables).map(({ weight }) => weight)
  }

  /** The tables under TorchRec's names, `embedding_bags.NAME.weight`, sharing their memory. */
  stateDict(): Record<string, Tensor> {
    return Object.fromEntries(
      Object.entries(this.tables).map(([name, { weight }]) => [`embedding_bags.${name}.weight`, weight]),
    )
  }

  /** Copies all tables in. @throws UsageError for other names, ShapeError for other shapes; nothing is written then. */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'EmbeddingBagCollection.loadStateDict')
    return this
  }

  /**
   * Frees the tables now, where no other tensor shares their memory. The collection, and whatever else holds the very
   * same tensors, is of no more use.
   */
  dispose(): void {
    for (const bag of Object.values(this.tables)) bag.dispose()
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(this, (value) => #features in value)
    CONTENTS.guard(this, (value) => #features in value)
  }
}

/** The backward function of all features: each gets its columns of the gradient. */
function waysBack(
  ways: readonly { way: Backward; at: number; dim: number }[],
  factors: readonly (Tensor | null)[],
): Backward {
  return (grad, wanted) => {
    let input = 0
    return ways.flatMap(({ way, at, dim }, i) => {
      const count = factors[i] === null ? 1 : 2
      const asked = wanted.slice(input, (input += count))
      if (!asked.includes(true)) return asked.map(() => null)
      return way(narrow(grad, 1, at, dim), asked).slice(0, count)
    })
  }
}

/** A table's name and features, and the function that makes its layer. */
function checkTable(table: unknown, where: string) {
  const isGiven = isObject(table) && 'bag' in table
  const known = isGiven ? ['name', 'bag', 'features'] : TABLE
  const options: Partial<BagTable & GivenBagTable> = checkOptions(table as BagTable & GivenBagTable, known, where)
  const { name, bag, features, numEmbeddings, embeddingDim, ...rest } = options
  if (checkText(name, `${where}: name`) === '') throw new UsageError(`${where}: name must not be empty`)
  const names = features ?? [name!]
  if (!isArray(names) || names.length === 0)
    throw new UsageError(`${where}: features must be an array of names, not ${show(names)}`)
  const of = eachOf(names, (one, i) => checkText(one, `${where}: features[${i}]`))
  if (new Set(of).size < of.length) throw new UsageError(`${where}: a feature is given twice in ${show(of)}`)
  if (isGiven && !(bag instanceof EmbeddingBag))
    throw new UsageError(`${where}: bag must be an EmbeddingBag, not ${show(bag)}`)
  const make = () => bag ?? new EmbeddingBag(numEmbeddings!, embeddingDim!, { mode: 'sum', ...rest })
  return { name: name!, features: of, make }
}

/** Whether bags are given all at once, not by feature. */
function isKeyed(features: object): features is KeyedBags {
  const { keys } = features as Partial<KeyedBags>
  return 'values' in features && isArray(keys) && typeof keys[0] === 'string'
}

/** Divides keyed bags into those of each feature. */
function divided(given: KeyedBags, where: string): Record<string, Bags> {
  const { keys, values, lengths, offsets } = checkOptions(given, ['keys', 'values', 'lengths', 'offsets'], where)
  const names = eachOf(keys!, (key, i) => checkText(key, `${where}: keys[${i}]`))
  if (new Set(names).size < names.length) throw new UsageError(`${where}: a key is given twice in ${show(names)}`)
  if ((lengths === undefined) === (offsets === undefined))
    throw new UsageError(`${where}: give either lengths or offsets beside keys and values`)
  const { array, shape } = readIds(values!, undefined, `${where}: values`)
  if (shape.length !== 1) throw new ShapeError(`${where}: values must be 1-D, not ${shown(shape)}`)
  if (lengthOf(array) > 2 ** 32 - 1)
    throw new ShapeError(`${where}: there are ${lengthOf(array)} values, more than 2^32 - 1`)
  const ends = offsets === undefined ? summed(lengths!, where) : ascending(offsets, where)
  const last = ends.at(-1)
  if (last !== lengthOf(array)) {
    const what = offsets === undefined ? 'the sum of lengths' : 'the last of offsets'
    throw new ShapeError(`${where}: ${what} is ${last}, and there are ${lengthOf(array)} values`)
  }
  const bags = (ends.length - 1) / names.length
  if (!Number.isInteger(bags))
    throw new ShapeError(`${where}: ${ends.length - 1} bags are not as many for each of ${names.length} keys`)
  return Object.fromEntries(
    names.map((name, i) => {
      const own = ends.slice(i * bags, (i + 1) * bags + 1)
      const ids = array.subarray(own[0], own[bags])
      return [name, { values: ids, offsets: Uint32Array.from(own, (end) => end - own[0]) }]
    }),
  )
}

/** Offsets out of lengths, beginning with 0. */
function summed(lengths: Ids, where: string): Float64Array {
  const { array, shape } = readIds(lengths, undefined, `${where}: lengths`)
  if (shape.length !== 1) throw new ShapeError(`${where}: lengths must be 1-D, not ${shown(shape)}`)
  const ends = zeroed(Float64Array, array.length + 1)
  for (let i = 0; i < array.length; i++) {
    const length = Number(array[i])
    if (length < 0) throw new ShapeError(`${where}: lengths[${i}] is ${length}, and must not be negative`)
    ends[i + 1] = ends[i] + length
  }
  return ends
}

function ascending(offsets: Ids, where: string): Float64Array {
  const { array, shape } = readIds(offsets, undefined, `${where}: offsets`)
  if (shape.length !== 1 || array.length === 0)
    throw new ShapeError(`${where}: offsets must be 1-D and have at least the element 0, not ${shown(shape)}`)
  const ends = zeroed(Float64Array, array.length)
  for (let i = 0; i < array.length; i++) {
    ends[i] = Number(array[i])
    if (ends[i] < (i === 0 ? 0 : ends[i - 1]) || (i === 0 && ends[i] > 0))
      throw new ShapeError(`${where}: offsets[${i}] is ${ends[i]}: offsets begin with 0 and do not decrease`)
  }
  return ends
}
