// The backward pass of layers: the functions that `record` takes for lookups, bags and the input layer.

import type { Backward, Gradient, Save } from '../autograd/tape.js'
import type { IntArray } from '../base/dtype.js'
import type { Ids, ReadIds } from '../tensor/ids.js'
import { keepIds, type Keeping } from './kept-ids.js'
import { check, native, type BagMode, type BagsOperand, type InputLayer, type InputsOperand } from '../native/native.js'
import type { Table } from './table.js'
import type { Tensor } from '../tensor/tensor.js'
import { cast, Elements } from '../ops/elements.js'
import { orderOf, TableGradient, type Order } from '../autograd/table-gradient.js'

/**
 * The backward function of a lookup; `given` and `read` are the ids as the caller gave them and as they were read.
 * @internal
 */
export function lookupWay(table: Table, given: Ids, read: IntArray, keeping: Keeping): Backward {
  const ids = keepIds(read, given, keeping)
  const facts = table.facts()
  return (grad) => [TableGradient.pending(facts, table.order(ids()), grad)]
}

/** Bags as their layer has read them. */
export interface ReadBags {
  readonly ids: ReadIds
  readonly offsets: ReadIds | null
  readonly withEnd: boolean
  readonly bags: number
  readonly length: number
}

/** The bags of a call, with their table, weights and mode. @internal */
export interface BagSettings {
  readonly table: Table
  readonly bags: ReadBags
  readonly weights: Tensor | null
  readonly mode: BagMode
}

/**
 * Bags as the native side takes them, in both passes. The backward pass gives the `ids` and `offsets` that it kept,
 * which replace those that were read. @internal
 */
export function operandOf(
  bags: ReadBags,
  weights: Elements | null,
  ids = bags.ids.array,
  offsets = bags.offsets?.array,
): BagsOperand {
  return { ids, offsets, bags: bags.bags, weights: weights?.operand() }
}

/** The backward function of bags; `given` holds ids and offsets as the caller gave them. @internal */
export function bagWay(settings: BagSettings, given: { ids?: Ids; offsets?: Ids }, keeping: Keeping): Backward {
  const { save } = keeping
  const { table, bags, weights, mode } = settings
  const facts = table.facts()
  const ids = keepIds(bags.ids.array, given.ids, keeping)
  const offsets = bags.offsets === null ? () => undefined : keepIds(bags.offsets.array, given.offsets, keeping)
  const savedWeights = weights === null ? null : save(weights)
  // Only the gradient of the weights reads the table's rows again; forward brought these up to date.
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

/**
 * Where the maximum of each bag is, per column: (bags, dim). It is found now, while the table is as forward read it.
 */
function saveWinners(settings: BagSettings, save: Save): () => Elements {
  const { table, bags } = settings
  const winners = fresh([bags.bags, table.dim], 'int32')
  check(native.bagWinners(table.lookup(), operandOf(bags, null), table.weight.rawOperand(), winners.operand()))
  const saved = save(winners)
  winners.dispose()
  return saved
}

/** The gradient in float32, the type of the sums. */
function wide(grad: Elements): Elements {
  return cast(grad, 'float32')
}

function fresh(shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): Elements {
  return Elements.uninitialized(dtype, shape.slice())
}

/** The inputs of an input layer, as the native side takes them. */
export interface ReadInputs {
  readonly read: ReadIds
  readonly offset: number
  readonly length: number
  readonly at: IntArray | undefined
  readonly kinds: IntArray | undefined
}

/** The inputs as one object, which asynchronous work and the backward pass take. @internal */
export function inputsOf({ read, offset, length, at, kinds }: ReadInputs): InputsOperand {
  return { ids: read.array, offset, length, positions: at, segments: kinds }
}

/** An input layer's parts as they are at forward. */
export interface InputParts {
  readonly native: InputLayer
  /** Tables of tokens, positions and segments; null if the layer has no such table. */
  readonly tables: readonly [Table, Table | null, Table | null]
  /**
   * All that is learned, in the order of the gradients: the tables' weights, then the normalization's weight and bias.
   */
  readonly parts: readonly Tensor[]
  /** Those parts that lie in V8's memory. */
  readonly others: readonly Tensor[]
  readonly normalized: boolean
  readonly scale: number
}

/**
 * The backward function of the input layer. Forward does not keep the sums, so with a normalization the tables' rows
 * are read again. @internal
 */
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

/** The order by row of positions that count up along each sequence. */
function cycle(n: number, offset: number, length: number): Order {
  return orderOf(n, false, (block) => native.cycleRowOrder(n, offset, length, block))
}
