// The gradient of a table as rows: only the rows that a batch looked up, summed in the order of its ids.

import { isDense, type Gradient, type RowsGradient, type Showing, type ShownRows } from './tape.js'
import { type DType, type ResultType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { untrack } from '../memory/scope.js'
import { call, check, native, type GradOperand, type Operand } from '../native/native.js'
import { binary } from '../ops/arithmetic.js'
import { cast, Elements } from '../ops/elements.js'
import { clone } from '../ops/movement.js'

/** New elements that belong to no scope; their values are unspecified. */
function kept(shape: readonly number[], dtype: DType): Elements {
  const made = Elements.uninitialized(dtype, shape.slice())
  untrack(made)
  return made
}

/** Converts elements to `dtype` and disposes the given ones. */
export function typed(x: Elements, dtype: DType): Elements {
  if (x.dtype === dtype) return x
  const other = cast(x, dtype)
  x.dispose()
  return other
}

/** Summed float32 rows in the form that the native side takes; `dtype` is the table's type. */
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

/** Where each id occurs in a batch, in the form that the native side wrote. @internal */
export interface Order {
  /** The ids, starts and places in one block, which has room for `room` ids. */
  readonly block: Elements
  readonly room: number
  /** Number of different ids. */
  readonly count: number
  /** A coefficient for each place, if rows are multiplied before they are summed. */
  readonly coefficients: Elements | null
}

/** The order of `n` ids; `write` fills it in and returns the number of different ids. @internal */
export function orderOf(
  n: number,
  weighted: boolean,
  write: (block: Operand, coefficients?: Operand) => number | null,
): Order {
  const block = kept([3 * n + 1], 'int32')
  const coefficients = weighted ? kept([n], 'float32') : null
  return { block, room: n, count: call(write(block.operand(), coefficients?.operand())), coefficients }
}

/** Facts about the table that a gradient belongs to. */
export interface TableFacts {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Whether `grad` is a SparseGrad. */
  readonly sparse: boolean
}

/** Rows that are summed or yet to be summed; float32, whatever the table's type. */
type Rows =
  | { readonly summed: false; readonly order: Order; readonly grad: Elements }
  | { readonly summed: true; readonly ids: Elements; readonly rows: Elements }

/**
 * The gradient of a table as a leaf collects it: the order of the ids and the gradient of the output, which are summed
 * only when somebody reads the gradient or adds to it. Once a dense tensor was shown, that tensor is the gradient,
 * since its viewer may have changed it. @internal
 */
export class TableGradient implements RowsGradient {
  readonly #table: TableFacts
  #rows: Rows | null
  /** The object that users were shown: dense elements or rows. */
  #shown: Elements | ShownRows | null = null
  /** Stops watching the gradient of the output. */
  #unwatch: (() => void) | null = null

  private constructor(table: TableFacts, rows: Rows | null) {
    this.#table = table
    this.#rows = rows
  }

  /**
   * The rows of `grad`, the gradient of an output; `order` says where each id occurs. `grad` is kept as it is until
   * somebody is about to change it, such as the caller who gave it to `backward`. If such a change could go unnoticed,
   * the rows are summed at once.
   */
  static pending(table: TableFacts, order: Order, grad: Elements): TableGradient {
    const rows = cast(grad, 'float32')
    untrack(rows)
    const gradient = new TableGradient(table, { summed: false, order, grad: rows })
    gradient.#unwatch = rows.watch(() => void gradient.#sum())
    if (gradient.#unwatch === null) gradient.#sum()
    return gradient
  }

  /** A SparseGrad that a user assigns to `grad` of a weight. */
  static of(grad: ShownRows): TableGradient {
    const gradient = new TableGradient({ shape: grad.shape, dtype: grad.dtype, sparse: true }, null)
    gradient.#shown = grad
    return gradient
  }

  /** Rows for the ids of an order; `write` sums them, and the rest of the order is freed. */
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

  /** Whether users see a SparseGrad. @internal */
  get sparse(): boolean {
    return this.#table.sparse
  }

  /**
   * The elements that hold the gradient, for changes in place: the dense tensor if one was shown, or else the summed
   * rows. @internal
   */
  changeable(): Elements {
    if (this.#shown instanceof Elements) return this.#shown
    return this.#shown === null ? this.#sum().rows : this.#shown.rows
  }

  /**
   * The rows in the form that the native side reads; null if a dense tensor was shown, which then holds the
   * gradient. @internal
   */
  operand(): GradOperand | null {
    if (this.#shown instanceof Elements) return null
    if (this.#shown !== null) return summedOperand(this.#shown.ids, cast(this.#shown.rows, 'float32'), this.dtype)
    const rows = this.#rows
    if (rows === null) throw new UsageError('use of a disposed gradient')
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

  /** Sums the rows if they are not summed yet. */
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

  /** The gradient as new dense elements. @internal */
  dense(): Elements {
    const dense = kept(this.shape, 'float32')
    check(native.rowsDense(this.operand()!, this.shape[0], dense.operand()))
    const result = typed(dense, this.dtype)
    untrack(result)
    return result
  }

  shown(as: Showing): Elements | ShownRows {
    if (this.#shown !== null) return this.#shown
    if (!this.#table.sparse) this.#shown = as.dense(this.dense())
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

  /** Adds dense elements; takes them over if `own`. */
  #plusDense(dense: Elements, own: boolean): Elements {
    if (this.#shown instanceof Elements || this.dtype !== 'float32') {
      const rows = this.#shown instanceof Elements ? this.#shown.alias() : this.dense()
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

/** The first `count` ids of a block, which is taken over. */
function idsOf(block: Elements, count: number): Elements {
  const ids = block.alias([count])
  untrack(ids)
  block.dispose()
  return ids
}
