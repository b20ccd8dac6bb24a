// The way back through layers: what `record` takes of lookups, bags and the input layer.

import type { Backward, Gradient, Save } from '../autograd/tape.js'
import type { IntArray } from '../base/dtype.js'
import type { Ids, ReadIds } from '../tensor/ids.js'
import { keepIds, type Keeping } from './kept-ids.js'
import { check, native, type BagMode, type BagsOperand, type InputLayer, type InputsOperand } from '../native/native.js'
import type { Table } from './table.js'
import type { Tensor } from '../tensor/tensor.js'
import { cast, Elements } from '../ops/elements.js'
import { orderOf, TableGradient, type Order } from '../autograd/table-gradient.js'

/** Of a lookup of ids, as they were given and read. @internal */
export function lookupWay(table: Table, given: Ids, read: IntArray, keeping: Keeping): Backward {
  const ids = keepIds(read, given, keeping)
  const facts = table.facts()
  return (grad) => [TableGradient.pending(facts, table.order(ids()), grad)]
}

/** Bags as their layer read them. */
export interface ReadBags {
  readonly ids: ReadIds
  readonly offsets: ReadIds | null
  readonly withEnd: boolean
  readonly bags: number
  readonly length: number
}

/** What is done with bags. @internal */
export interface BagSettings {
  readonly table: Table
  readonly bags: ReadBags
  readonly weights: Tensor | null
  readonly mode: BagMode
}

/**
 * Bags as the native side takes them, there and back; `ids` and `offsets`: those that were kept, instead of those that
 * were read. @internal
 */
export function operandOf(
  bags: ReadBags,
  weights: Elements | null,
  ids = bags.ids.array,
  offsets = bags.offsets?.array,
): BagsOperand {
  return { ids, offsets, bags: bags.bags, weights: weights?.operand() }
}

/** Of bags; `given`: ids and offsets as they were given. @internal */
export function bagWay(settings: BagSettings, given: { ids?: Ids; offsets?: Ids }, keeping: Keeping): Backward {
  const { save } = keeping
  const { table, bags, weights, mode } = settings
  const facts = table.facts()
  const ids = keepIds(bags.ids.array, given.ids, keeping)
  const offsets = bags.offsets === null ? () => undefined : keepIds(bags.offsets.array, given.offsets, keeping)
  const savedWeights = weights === null ? null : save(weights)
  // Only the gradient of the weights reads the table again: rows that forward brought up to date.
  const savedTable = weights?.requiresGrad === true ? save(table.weight) : null
  const winners = mode === 'max' && table.weight.requiresGrad ? saveWinners(settings, save) : null

  const ofTable = (grad: Elements): Gradient => {
    const kept = operandOf(bags, savedWeights?.() ?? null, ids(), offsets())
    if (winners !== null) {
      const order = table.order(ids(), false)
      return TableGradient.summed(facts, order, (into) =>
        native.bagLargestRows(
          table.lookup(),
          kept,
          { block: order.block.operand(), count: order.count },
          winners().operand(),
          wide(grad).operand(),
          into,
        ),
      )
    }
    const weighted = weights !== null || mode === 'mean' || table.byFrequency
    const order = orderOf(ids().length, weighted, (block, coefficients) =>
      native.bagRowOrder(table.lookup(), kept, table.byFrequency, block, coefficients),
    )
    return TableGradient.pending(facts, order, grad)
  }
  const ofWeights = (grad: Elements): Gradient => {
    const made = fresh(weights!.shape)
    const kept = operandOf(bags, savedWeights!(), ids(), offsets())
    check(native.bagWeightsGrad(table.lookup(), kept, savedTable!().rawOperand(), wide(grad).operand(), made.operand()))
    return made
  }
  return (grad, wanted) => [wanted[0] ? ofTable(grad) : null, wanted[1] ? ofWeights(grad) : null]
}

/** Where the largest of bags are, found while the table is as forward read it. */
function saveWinners(settings: BagSettings, save: Save): () => Elements {
  const { table, bags } = settings
  const winners = fresh([bags.bags, table.dim], 'int32')
  check(native.bagWinners(table.lookup(), operandOf(bags, null), table.weight.rawOperand(), winners.operand()))
  const saved = save(winners)
  winners.dispose()
  return saved
}

/** A gradient in float32, which sums are made of. */
function wide(grad: Elements): Elements {
  return cast(grad, 'float32')
}

function fresh(shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): Elements {
  return Elements.uninitialized(dtype, shape.slice())
}

/** What goes through an input layer, as the native side takes it. */
export interface ReadInputs {
  readonly read: ReadIds
  readonly offset: number
  readonly length: number
  readonly at: IntArray | undefined
  readonly kinds: IntArray | undefined
}

/** The same as objects cross: to work off the thread, and on the way back. @internal */
export function inputsOf({ read, offset, length, at, kinds }: ReadInputs): InputsOperand {
  return { ids: read.array, offset, length, positions: at, segments: kinds }
}

/** An input layer's parts as they are at forward. */
export interface InputParts {
  readonly native: InputLayer
  /** Tables of tokens, positions and segments; null for those that are not there. */
  readonly tables: readonly [Table, Table | null, Table | null]
  /**
   * All that is learned, in the order of the gradients: the tables' weights, then the normalization's weight and bias.
   */
  readonly parts: readonly Tensor[]
  /** Which of them are V8's memory. */
  readonly others: readonly Tensor[]
  readonly normalized: boolean
  readonly scale: number
}

/** Of the input layer. The tables' rows are read again where a sum was normalized: forward keeps none. @internal */
export function inputWay(layer: InputParts, inputs: ReadInputs, given: Ids, keeping: Keeping): Backward {
  const { save } = keeping
  const { tables, parts } = layer
  const { offset, length } = inputs
  const n = inputs.read.array.length
  const ids = keepIds(inputs.read.array, given, keeping)
  const at = inputs.at && keepIds(inputs.at, undefined, keeping)
  const kinds = inputs.kinds && keepIds(inputs.kinds, undefined, keeping)
  const saved = layer.normalized ? parts.map((part) => ({ part, get: save(part) })) : []
  const [tokens, positions, segments] = tables
  const orders: (() => Order)[] = [() => tokens.order(ids(), true, layer.scale)]
  if (positions !== null) orders.push(() => (at === undefined ? cycle(n, offset, length) : positions.order(at())))
  if (segments !== null) orders.push(() => (kinds === undefined ? cycle(n, 0, 1) : segments.order(kinds())))
  const facts = tables.flatMap((table) => (table === null ? [] : [table.facts()]))
  return (grad, wanted) => {
    let [sum, learned] = [grad, [] as Elements[]]
    if (layer.normalized) {
      const made = [fresh(grad.shape), fresh([grad.shape.at(-1)!]), fresh([grad.shape.at(-1)!])]
      const others = saved.filter(({ part }) => layer.others.includes(part)).map(({ get }) => get().rawOperand())
      check(
        native.inputLayerBackward(
          layer.native,
          { ids: ids(), offset, length, positions: at?.(), segments: kinds?.() },
          others,
          grad.operand(),
          { sum: made[0].operand(), weight: made[1].operand(), bias: made[2].operand() },
        ),
      )
      ;[sum, learned] = [made[0], made.slice(1)]
    }
    const ofTables = facts.map((_, i) => (wanted[i] ? TableGradient.pending(facts[i], orders[i](), sum) : null))
    return [...ofTables, ...learned]
  }
}

/** The order of positions that count along sequences. */
function cycle(n: number, offset: number, length: number): Order {
  return orderOf(n, false, (block) => native.cycleRowOrder(n, offset, length, block))
}
