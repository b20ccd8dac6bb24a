// Vocabularies that change: rows added, removed, reordered, in all that belongs to them at once.

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

/** Something with a row a token. */
export type VocabularyTable = Embedding | EmbeddingBag | TokenPositionEmbedding<any> | Tensor

/** All that has a row a token, or a word, a count, a state for each. */
export interface VocabularyParts {
  /** Layers, and tensors whose dimension 0 is the vocabulary (a head, its bias), by names of your own. Of tied weights both:
   * they stay tied. Of a TokenPositionEmbedding its token table changes: positions, segments and the normalization are
   * the same tensors in the new layer. */
  tables: Record<string, VocabularyTable>
  /** The words, in the order of the rows. */
  words?: readonly string[]
  /** How often each token was seen. */
  counts?: ArrayLike<number>
  /** What steps the tables, and may step others. */
  optimizer?: OptimizerLike
}

/** What `resizeVocabulary` makes: new tables, beside the old ones, which stay as they are. */
export type ResizedVocabulary<P extends VocabularyParts = VocabularyParts> = {
  /** Under the names of those given, and of their kind; layers have their options, a padding row its new place. */
  tables: P['tables']
  /** Rows. */
  size: number
  /** For each old id the new one; -1 where it was removed. */
  newIds: Int32Array
  /** For each new id the old one; -1 where it was added. */
  oldIds: Int32Array
} & (P extends { words: readonly string[] } ? { words: string[] } : object) &
  (P extends { counts: ArrayLike<number> } ? { counts: Float64Array } : object) &
  (P extends { optimizer: OptimizerLike } ? ResizedOptimizer : object)

/** What an optimizer is made anew with. */
export interface ResizedOptimizer {
  /**
   * For the constructor of an optimizer like the one given: its groups, with the new tables in the places of the old.
   */
  groups: ParameterGroupLike[]
  /**
   * For `loadStateDict` of that optimizer. State of rows that stay goes with them; that of new rows is as it begins.
   */
  optimizerState: OptimizerStateLike
}

const PARTS = ['tables', 'words', 'counts', 'optimizer']

/**
 * Adds, removes and reorders tokens in all that has a row for each, in one step or not at all: everything is checked
 * before anything is made, and what was given is never changed. Tied weights stay tied, types and `requiresGrad` stay,
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
 * New rows are the mean of those that stay unless `from` says otherwise. Means are summed in float64 and rounded once.
 *
 * @throws UsageError for an id that is named twice or is no row, a word that is there already, and a padding row that would
 * go; ShapeError where tables, words and counts are not as many; DTypeError for tables that are not of floats.
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

  // From here on nothing fails but for want of memory.
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

/** A table that was given. */
interface Source {
  readonly name: string
  readonly given: VocabularyTable
  readonly tensor: Tensor
  /** What a layer has beside its weight. */
  readonly table: Table | null
  /** The padding row. */
  readonly padding: number | undefined
}

function sourcesOf(tables: unknown, where: string): Source[] {
  if (!isObject(tables) || isArray(tables) || tables instanceof Tensor)
    throw new UsageError(`${where}: tables by name, not ${show(tables)}`)
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
        `${where}: "${name}" is ${tensor.dtype}; tables of floats are resized${isLayer ? ': dequantize() it first' : ''}`,
      )
    if (tensor.disposed) throw new UsageError(`${where}: "${name}" was disposed`)
    if (tensor.shape.length === 0) throw new ShapeError(`${where}: "${name}" is a single number: it has no rows`)
    const table = isLayer ? layer.table : null
    return { name, given, tensor, table, padding: table?.settings.paddingIdx }
  })
  if (sources.length === 0) throw new UsageError(`${where}: no tables`)
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
    if (typeof length !== 'number') throw new UsageError(`${where}: ${name} are an array, not ${show(list)}`)
    others.push({ what: `there are ${length} ${name}`, length })
  }
  const other = others.find(({ length }) => length !== size)
  if (other) throw new ShapeError(`${where}: "${first.name}" has ${size} rows, and ${other.what}: each has one a token`)
  if (size > 2 ** 31 - 1) throw new UsageError(`${where}: at most 2^31 - 1 rows, not ${size}`)
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
    `${where}: "${name}" counts positions from behind its padding row ${padding}, which would become row ${newIds[padding]}: keep the rows before it`,
  )
}

/** Whether two are one and the same memory. */
function isSame(a: Tensor, b: Tensor): boolean {
  if (a === b) return true
  if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape) || a.size === 0 || !a.overlaps(b)) return false
  // Of two parts of one size, the first and the last element of one are in the other only if they begin together.
  return scope(() => {
    const flat = a.detach().reshape(a.size)
    return flat.narrow(0, 0, 1).overlaps(b) && flat.narrow(0, a.size - 1, 1).overlaps(b)
  })
}

/** Each memory once, with the first that was given over it; ties with a padding row, where one has it. */
function distinctOf(sources: readonly Source[], where: string): { source: Source; tensor: Tensor }[] {
  const distinct: { source: Source; tensor: Tensor }[] = []
  for (const source of sources) {
    const known = distinct.findIndex(({ tensor }) => isSame(tensor, source.tensor))
    if (known < 0) {
      const partly = distinct.find(({ tensor }) => tensor.overlaps(source.tensor))
      if (partly)
        throw new UsageError(
          `${where}: "${source.name}" ${shown(source.tensor.shape)} shares a part of its memory with "${partly.source.name}" ${shown(partly.tensor.shape)}: clone() one of them`,
        )
      distinct.push({ source, tensor: source.tensor })
    } else if (distinct[known].source.padding === undefined) {
      distinct[known] = { source, tensor: distinct[known].tensor }
    }
  }
  return distinct
}

/** The new tensor in the place of one that was given, or of another over the same memory. */
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

/** The same kind of thing over new rows. */
function rebuilt({ given, tensor, table }: Source, made: Map<Tensor, Tensor>, { newIds }: Mapping): VocabularyTable {
  const weight = tableOf(made, tensor)!
  // Tensors that were two over one memory are so again, and each stays one however often it is named.
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
  // Not a tensor that shares its memory, but that very tensor: so are weights tied.
  layer.weight = weight
  return given instanceof TokenPositionEmbedding && layer instanceof Embedding ? given.withTokens(layer) : layer
}
