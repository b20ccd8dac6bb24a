// The gradient of a table as rows: the rows that a batch named, summed in the order of its ids.

import { isDense, type Gradient, type RowsGradient, type Showing, type ShownRows } from './tape.js'
import { type DType, type ResultType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { untrack } from '../memory/scope.js'
import { call, check, native, type GradOperand, type Operand } from '../native/native.js'
import { binary } from '../ops/arithmetic.js'
import { cast, Elements } from '../ops/elements.js'
import { clone } from '../ops/movement.js'

/** Fresh elements, unspecified and nobody's scope's. */
function kept(shape: readonly number[], dtype: DType): Elements {
  const made = Elements.uninitialized(dtype, shape.slice())
  untrack(made)
  return made
}

/** Elements in another type, in the place of the given ones. */
export function typed(x: Elements, dtype: DType): Elements {
  if (x.dtype === dtype) return x
  const other = cast(x, dtype)
  x.dispose()
  return other
}

/** Summed rows, float32, as the native side takes them; `dtype` is the table's. */
export function summedOperand(ids: Elements, rows: Elements, dtype: DType): GradOperand {
  return {
    ids: ids.operand(),
    rows: rows.operand(),
    summed: true,
    room: 0,
    count: ids.size,
    dim: rows.shape[1],
    coefficients: undefined,
    format: dtype as ResultType,
  }
}

/** Where the ids of a batch occur, as the native side wrote it. @internal */
export interface Order {
  /** ids, starts, places: one block for `room` ids. */
  readonly block: Elements
  readonly room: number
  /** How many different ids there are. */
  readonly count: number
  /** One beside each place, where rows are multiplied before they are summed. */
  readonly coefficients: Elements | null
}

/** The order of `n` ids: `write` fills it in and says how many different ones there are. @internal */
export function orderOf(
  n: number,
  weighted: boolean,
  write: (block: Operand, coefficients?: Operand) => number | null,
): Order {
  const block = kept([3 * n + 1], 'int32')
  const coefficients = weighted ? kept([n], 'float32') : null
  return { block, room: n, count: call(write(block.operand(), coefficients?.operand())), coefficients }
}

/** What is known of the table that a gradient is for. */
export interface TableFacts {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Whether `grad` shows rows. */
  readonly sparse: boolean
}

/** Rows that wait to be summed, or are. Float32, whatever the table's type. */
type Rows =
  | { readonly summed: false; readonly order: Order; readonly grad: Elements }
  | { readonly summed: true; readonly ids: Elements; readonly rows: Elements }

/**
 * Rows of a table's gradient as a leaf collects them: the order of the ids and the gradient of the output, until
 * somebody looks or adds to it. Once a dense tensor was shown, that one counts, since its viewer may have changed
 * it. @internal
 */
export class TableGradient implements RowsGradient {
  readonly #table: TableFacts
  #rows: Rows | null
  /** What was shown: the dense elements, or the rows. */
  #shown: Elements | ShownRows | null = null
  /** Ends the watch over the gradient of the output. */
  #unwatch: (() => void) | null = null

  private constructor(table: TableFacts, rows: Rows | null) {
    this.#table = table
    this.#rows = rows
  }

  /**
   * Rows of `grad`, the gradient of an output, where the order says. It is kept as it is until somebody is about to
   * change it, as whoever gave it to `backward` may; where that could not be seen, rows are summed at once.
   */
  static pending(table: TableFacts, order: Order, grad: Elements): TableGradient {
    const rows = cast(grad, 'float32')
    untrack(rows)
    const gradient = new TableGradient(table, { summed: false, order, grad: rows })
    gradient.#unwatch = rows.watch(() => void gradient.#sum())
    if (gradient.#unwatch === null) gradient.#sum()
    return gradient
  }

  /** What somebody gives a weight as its gradient. */
  static of(grad: ShownRows): TableGradient {
    const gradient = new TableGradient({ shape: grad.shape, dtype: grad.dtype, sparse: true }, null)
    gradient.#shown = grad
    return gradient
  }

  /** Rows that `write` sums: of the ids of an order, of which nothing else is wanted. */
  static summed(
    table: TableFacts,
    { block, count, coefficients }: Order,
    write: (rows: Operand) => boolean,
  ): TableGradient {
    const rows = kept([count, table.shape[1]], 'float32')
    check(write(rows.operand()))
    coefficients?.dispose()
    return new TableGradient(table, { summed: true, ids: idsOf(block, count), rows })
  }

  get shape(): readonly number[] {
    return this.#table.shape
  }

  get dtype(): DType {
    return this.#table.dtype
  }

  /** Whether it shows rows. @internal */
  get sparse(): boolean {
    return this.#table.sparse
  }

  /** What counts of it, to be changed in place: the dense tensor that was shown, or the rows, summed. @internal */
  changeable(): Elements {
    if (this.#shown instanceof Elements) return this.#shown
    return this.#shown === null ? this.#sum().rows : this.#shown.rows
  }

  /** Rows as the native side reads them; null where a dense tensor was shown, which counts then. @internal */
  operand(): GradOperand | null {
    if (this.#shown instanceof Elements) return null
    if (this.#shown !== null) return summedOperand(this.#shown.ids, cast(this.#shown.rows, 'float32'), this.dtype)
    const rows = this.#rows
    if (rows === null) throw new UsageError('use of a gradient that was let go')
    if (rows.summed) return summedOperand(rows.ids, rows.rows, this.dtype)
    const { block, room, count, coefficients } = rows.order
    return {
      ids: block.operand(),
      rows: rows.grad.operand(),
      summed: false,
      room,
      count,
      dim: this.shape[1],
      coefficients: coefficients?.operand(),
      format: this.dtype as ResultType,
    }
  }

  /** Sums what waits. */
  #sum(): { readonly ids: Elements; readonly rows: Elements } {
    if (this.#shown !== null && !(this.#shown instanceof Elements))
      return { ids: this.#shown.ids, rows: cast(this.#shown.rows, 'float32') }
    const before = this.#rows!
    if (before.summed) return before
    const { block, count } = before.order
    const rows = kept([count, this.shape[1]], 'float32')
    check(native.rowsSum(this.operand()!, rows.operand()))
    const summed = { summed: true, ids: idsOf(block.alias(), count), rows } as const
    this.#release()
    return (this.#rows = summed)
  }

  /** All rows as fresh dense elements. */
  #dense(): Elements {
    const dense = kept(this.shape, 'float32')
    check(native.rowsDense(this.operand()!, this.shape[0], dense.operand()))
    const result = typed(dense, this.dtype)
    untrack(result)
    return result
  }

  shown(as: Showing): Elements | ShownRows {
    if (this.#shown !== null) return this.#shown
    if (!this.#table.sparse) this.#shown = as.dense(this.#dense())
    else {
      const { ids, rows } = this.#sum()
      this.#shown = as.rows(ids.alias(), cast(rows, this.dtype), this.shape)
    }
    this.#release()
    return this.#shown
  }

  plus(more: Gradient): Gradient {
    if (isDense(more)) return this.#plusDense(more, true)
    const other = more as TableGradient
    if (this.#shown instanceof Elements) return other.#plusDense(this.#shown, false)
    if (other.#shown instanceof Elements) return this.#plusDense(other.#shown, false)
    return this.#plusRows(other)
  }

  /** With dense elements, which are taken over if they are its `own`. */
  #plusDense(dense: Elements, own: boolean): Elements {
    if (this.#shown instanceof Elements || this.dtype !== 'float32') {
      const rows = this.#shown instanceof Elements ? this.#shown.alias() : this.#dense()
      const sum = binary('add', dense, rows)
      rows.dispose()
      if (own) dense.dispose()
      this.dispose()
      return sum
    }
    const into = own && dense.alone ? dense : clone(dense, 'clone')
    check(native.rowsAdd(this.operand()!, this.shape[0], into.operand()))
    if (own && into !== dense) dense.dispose()
    this.dispose()
    return into
  }

  #plusRows(other: TableGradient): TableGradient {
    const [a, b] = [this, other].map((one) => {
      const { ids, rows } = one.#sum()
      return summedOperand(ids, rows, this.dtype)
    })
    const all = kept([a.count + b.count], 'int32')
    const count = call(native.rowsMergedIds(a, b, all.operand()))
    const rows = kept([count, this.shape[1]], 'float32')
    check(native.rowsMerge(a, b, rows.operand()))
    const sparse = this.#table.sparse && other.#table.sparse
    this.dispose()
    other.dispose()
    return new TableGradient({ ...this.#table, sparse }, { summed: true, ids: idsOf(all, count), rows })
  }

  #release(): void {
    const rows = this.#rows
    this.#unwatch?.()
    this.#rows = this.#unwatch = null
    if (rows === null) return
    if (rows.summed) {
      rows.ids.dispose()
      rows.rows.dispose()
    } else {
      rows.order.block.dispose()
      rows.order.coefficients?.dispose()
      rows.grad.dispose()
    }
  }

  dispose(): void {
    this.#release()
  }
}

/** The first of a block, which is taken over. */
function idsOf(block: Elements, count: number): Elements {
  const ids = block.alias([count])
  untrack(ids)
  block.dispose()
  return ids
}
