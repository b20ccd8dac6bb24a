// Changes of vocabularies: rows are added, removed and reordered in everything that belongs to them, at once.

import { EmbeddingBag } from '../layers/bag.js'
import { isFloat } from '../base/dtype.js'
import { Embedding } from '../layers/embedding.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { checkRows, newRows, type Mapping } from './rows.js'
import { resizedState, stateOf, type OptimizerLike, type OptimizerStateLike, type ParameterGroupLike } from './state.js'
import { remapped, readPlan, type VocabularyPlan } from './plan.js'
import { scope } from '../memory/scope.js'
import { sameShape, shown } from '../base/shape.js'
import type { Table } from '../layers/table.js'
import { Tensor } from '../tensor/tensor.js'
import { TokenPositionEmbedding } from '../layers/token-position.js'
import { checkOptions, isArray, isObject, show } from '../base/validate.js'

/** A layer or tensor with one row per token. */
export type VocabularyTable = Embedding | EmbeddingBag | TokenPositionEmbedding<any> | Tensor

/** Everything that has one row, word, count or state per token. */
export interface VocabularyParts {
  /**
   * Layers, and tensors whose dimension 0 is the vocabulary (a head, its bias), by names of your choice. Give both of a
   * pair of tied weights: they stay tied. In a TokenPositionEmbedding the token table changes; positions, segments and
   * the normalization are the same tensors in the new layer.
   */
  tables: Record<string, VocabularyTable>
  /** The words, in the order of the rows. */
  words?: readonly string[]
  /** How often each token was seen. */
  counts?: ArrayLike<number>
  /** The optimizer that steps the tables; it may step other parameters too. */
  optimizer?: OptimizerLike
}

/** The result of `resizeVocabulary`: new tables. The old ones are unchanged. */
export type ResizedVocabulary<P extends VocabularyParts = VocabularyParts> = {
  /**
   * New tables under the names and of the kinds of the old ones. Layers keep their options, with the padding row at its
   * new place.
   */
  tables: P['tables']
  /** Number of rows. */
  size: number
  /** For each old id the new one; -1 if it was removed. */
  newIds: Int32Array
  /** For each new id the old one; -1 if it was added. */
  oldIds: Int32Array
} & (P extends { words: readonly string[] } ? { words: string[] } : object) &
  (P extends { counts: ArrayLike<number> } ? { counts: Float64Array } : object) &
  (P extends { optimizer: OptimizerLike } ? ResizedOptimizer : object)

/** What a new optimizer needs to continue. */
export interface ResizedOptimizer {
  /**
   * Groups for the constructor of an optimizer of the same kind: the old groups, with the new tables in place of the
   * old.
   */
  groups: ParameterGroupLike[]
  /**
   * State for `loadStateDict` of that optimizer. Rows that stay keep their state; new rows have the state before a
   * first step.
   */
  optimizerState: OptimizerStateLike
}

const PARTS = ['tables', 'words', 'counts', 'optimizer']

/**
 * Adds, removes and reorders tokens in everything that has a row for each, in one step or not at all: all is checked
 * before anything is made, and the arguments are never changed. Tied weights stay tied, types and `requiresGrad` stay,
 * and the state of an optimizer follows its rows.
 *
 * ```ts
 * const after = resizeVocabulary({ tables: { token, head }, words, optimizer }, {
 *   remove: [5, 7],
 *   add: [{ word: 'whaleboat', from: { pieces: [12, 40] } }, { word: 'gam' }],
 * })
 * const optimizer = new AdamW(after.groups).loadStateDict(after.optimizerState)
 * ```
 *
 * A new row is the mean of the rows that stay, unless `from` says otherwise. Means are summed in float64 and rounded
 * once.
 *
 * @throws UsageError for an id that is named twice or out of range, a word that exists already, and a padding row that
 * would be removed; ShapeError if tables, words and counts differ in length; DTypeError for tables that are not floats.
 */
export function resizeVocabulary<const P extends VocabularyParts>(
  parts: P,
  plan: VocabularyPlan,
): ResizedVocabulary<P> {
  const where = 'resizeVocabulary'
  const { tables, words, counts, optimizer }: Partial<VocabularyParts> = checkOptions(
    parts as VocabularyParts,
    PARTS,
    where,
  )
  const sources = sourcesOf(tables, where)
  const size = agreedSize(sources, { words, counts }, where)
  const mapping = readPlan(plan, size, words, counts, where)
  for (const source of sources) checkPadding(source, mapping, where)
  const distinct = distinctOf(sources, where)
  for (const { source, tensor } of distinct) checkRows(tensor, mapping, source.padding, `${where}: "${source.name}"`)
  const state = optimizer === undefined ? null : stateOf(optimizer, where)

  // From here on only a lack of memory can make it fail.
  const made = new Map(distinct.map(({ source, tensor }) => [tensor, resized(tensor, mapping, source.padding)]))
  const result = {
    tables: Object.fromEntries(sources.map((source) => [source.name, rebuilt(source, made, mapping)])),
    size: mapping.oldIds.length,
    newIds: mapping.newIds,
    oldIds: mapping.oldIds,
    ...(words === undefined ? {} : { words: remapped(mapping, words, ({ word }) => word!) }),
    ...(counts === undefined
      ? {}
      : { counts: Float64Array.from(remapped(mapping, counts, ({ count }) => count ?? 0)) }),
    ...(state === null ? {} : resizedState(state, (param) => tableOf(made, param), mapping)),
  }
  return result as unknown as ResizedVocabulary<P>
}

/** A table to resize. */
interface Source {
  readonly name: string
  readonly given: VocabularyTable
  readonly tensor: Tensor
  /** The table of a layer, with its settings; null for a tensor. */
  readonly table: Table | null
  /** The padding row. */
  readonly padding: number | undefined
}

function sourcesOf(tables: unknown, where: string): Source[] {
  if (!isObject(tables) || isArray(tables) || tables instanceof Tensor)
    throw new UsageError(`${where}: expected an object of tables by name, not ${show(tables)}`)
  const sources = Object.entries(tables as Record<string, VocabularyTable>).map(([name, given]): Source => {
    const layer = given instanceof TokenPositionEmbedding ? given.token : given
    const isLayer = layer instanceof Embedding || layer instanceof EmbeddingBag
    if (!isLayer && !(layer instanceof Tensor))
      throw new UsageError(
        `${where}: "${name}" must be an Embedding, an EmbeddingBag, a TokenPositionEmbedding or a tensor, not ${show(given)}`,
      )
    const tensor = isLayer ? layer.weight : layer
    if (!isFloat(tensor.dtype))
      throw new DTypeError(
        `${where}: "${name}" must be a table of floats, not ${tensor.dtype}${isLayer ? ': dequantize() it first' : ''}`,
      )
    if (tensor.disposed) throw new UsageError(`${where}: "${name}" was disposed`)
    if (tensor.shape.length === 0) throw new ShapeError(`${where}: "${name}" is a scalar, which has no rows`)
    const table = isLayer ? layer.table : null
    return { name, given, tensor, table, padding: table?.settings.paddingIdx }
  })
  if (sources.length === 0) throw new UsageError(`${where}: there must be at least one table`)
  return sources
}

function agreedSize(
  sources: readonly Source[],
  lists: Record<string, ArrayLike<unknown> | undefined>,
  where: string,
): number {
  const [first] = sources
  const size = first.tensor.shape[0]
  const others = sources
    .slice(1)
    .map(({ name, tensor }) => ({ what: `"${name}" has ${tensor.shape[0]} rows`, length: tensor.shape[0] }))
  for (const [name, list] of Object.entries(lists)) {
    if (list === undefined) continue
    const length = isObject(list) ? list.length : undefined
    if (typeof length !== 'number') throw new UsageError(`${where}: ${name} must be an array, not ${show(list)}`)
    others.push({ what: `there are ${length} ${name}`, length })
  }
  const other = others.find(({ length }) => length !== size)
  if (other)
    throw new ShapeError(`${where}: "${first.name}" has ${size} rows, but ${other.what}: both need one for each token`)
  if (size > 2 ** 31 - 1) throw new UsageError(`${where}: there must be at most 2^31 - 1 rows, not ${size}`)
  return size
}

function checkPadding({ name, given, padding }: Source, { newIds }: Mapping, where: string): void {
  if (padding !== undefined && newIds[padding] < 0)
    throw new UsageError(
      `${where}: row ${padding} is the padding row of "${name}": keep it, or make a layer without paddingIdx first`,
    )
  if (
    padding === undefined ||
    newIds[padding] === padding ||
    !(given instanceof TokenPositionEmbedding) ||
    !given.skipsPadding
  )
    return
  throw new UsageError(
    `${where}: "${name}" counts positions from its padding row ${padding} on, which would become row ${newIds[padding]}: keep the rows before it`,
  )
}

/** Whether two tensors cover exactly the same memory. */
function isSame(a: Tensor, b: Tensor): boolean {
  if (a === b) return true
  if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape) || a.size === 0 || !a.overlaps(b)) return false
  // Two ranges of one size each contain the other's first and last element only if they begin at the same place.
  return scope(() => {
    const flat = a.detach().reshape(a.size)
    return flat.narrow(0, 0, 1).overlaps(b) && flat.narrow(0, a.size - 1, 1).overlaps(b)
  })
}

/** Each distinct memory once, with the first source over it. Of tied sources one with a padding row is preferred. */
function distinctOf(sources: readonly Source[], where: string): { source: Source; tensor: Tensor }[] {
  const distinct: { source: Source; tensor: Tensor }[] = []
  for (const source of sources) {
    const known = distinct.findIndex(({ tensor }) => isSame(tensor, source.tensor))
    if (known < 0) {
      const partly = distinct.find(({ tensor }) => tensor.overlaps(source.tensor))
      if (partly)
        throw new UsageError(
          `${where}: "${source.name}" ${shown(source.tensor.shape)} shares part of its memory with "${partly.source.name}" ${shown(partly.tensor.shape)}: clone() one of them`,
        )
      distinct.push({ source, tensor: source.tensor })
    } else if (distinct[known].source.padding === undefined) {
      distinct[known] = { source, tensor: distinct[known].tensor }
    }
  }
  return distinct
}

/** The new tensor for an old one, or for another over the same memory. */
function tableOf(made: ReadonlyMap<Tensor, Tensor>, tensor: Tensor): Tensor | undefined {
  const direct = made.get(tensor)
  if (direct !== undefined) return direct
  const tied = [...made].find(([one]) => !one.disposed && !tensor.disposed && isSame(one, tensor))
  if (tied === undefined) return undefined
  const shared = tied[1].detach()
  shared.requiresGrad = tensor.requiresGrad
  return shared
}

function resized(tensor: Tensor, mapping: Mapping, padding: number | undefined): Tensor {
  const made = newRows(tensor, mapping, padding)
  made.requiresGrad = tensor.requiresGrad
  return made
}

/** Makes a layer or tensor of the same kind over the new rows. */
function rebuilt({ given, tensor, table }: Source, made: Map<Tensor, Tensor>, { newIds }: Mapping): VocabularyTable {
  const weight = tableOf(made, tensor)!
  // Two old tensors over one memory become two new ones over one memory, and each old tensor has one new tensor,
  // however often it is named.
  made.set(tensor, weight)
  if (table === null) return weight
  const { paddingIdx, maxNorm, normType, badIds, scaleGradByFreq, sparse } = table.settings
  const options = {
    ...(paddingIdx === undefined ? {} : { paddingIdx: newIds[paddingIdx] }),
    ...(maxNorm === undefined ? {} : { maxNorm }),
    normType,
    scaleGradByFreq,
    sparse,
    onBadId: typeof badIds === 'number' ? 'padding' : badIds,
    freeze: !tensor.requiresGrad,
  } as const
  const layer =
    given instanceof EmbeddingBag
      ? EmbeddingBag.fromPretrained(weight, {
          ...options,
          mode: given.mode,
          includeLastOffset: given.includeLastOffset,
        })
      : Embedding.fromPretrained(weight, options)
  // Weights are tied by being the same tensor, so the layer gets this very one, not another that shares its memory.
  layer.weight = weight
  return given instanceof TokenPositionEmbedding && layer instanceof Embedding ? given.withTokens(layer) : layer
}
