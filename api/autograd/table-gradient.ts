// The gradient of a table as rows: the rows that a batch named, summed in the order of its ids.

import { isTensor, type Gradient, type RowsGradient } from './tape.js'
import { Contents } from '../base/contents.js'
import { facts, type DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { call, check, native, type GradOperand, type Operand } from '../native/native.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import type { ResultType } from '../layers/result.js'
import { untrack } from '../memory/scope.js'
import { sizeOf } from '../base/shape.js'
import { PooledStorage } from '../memory/storage.js'
import { Tensor } from '../tensor/tensor.js'

const CONTENTS = new Contents<SparseGrad>('SparseGrad', {
  instead: 'ids and rows are tensors, toDense() is one',
  // The rest is in its tensors, which are looked at besides.
  equal: (it) => `[${it.shape}]`,
})

/**
 * The gradient of a table of which a batch named some rows: `grad` of the weight of a layer made with `sparse: true`.
 * PyTorch's sparse tensors, coalesced: `ids` are its indices, `rows` its values.
 *
 * Each row is the sum over the id's occurrences in the batch, in their order: `toDense()` equals the dense gradient to the
 * bit.
 */
export class SparseGrad {
  /** Which rows of the table: int32 (n), ascending, each once. */
  readonly ids: Tensor
  /** What they get: (n, dim), of the table's type. */
  readonly rows: Tensor
  /** The table's. */
  readonly shape: readonly number[]
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  readonly #own = true

  private constructor(ids: Tensor, rows: Tensor, shape: readonly number[], key: symbol) {
    if (key !== PRIVATE) throw new UsageError('a SparseGrad is made by backward, not by new')
    this.ids = ids
    this.rows = rows
    this.shape = shape
  }

  /** Over tensors that become its own. @internal */
  static over(ids: Tensor, rows: Tensor, shape: readonly number[]): SparseGrad {
    return new SparseGrad(ids, rows, shape, PRIVATE)
  }

  /** The type of the table. */
  get dtype(): DType {
    return this.rows.dtype
  }

  /** The same as a tensor of the table's shape and type: zeros in the rows that the batch did not name. */
  toDense(): Tensor {
    const rows = this.rows.to('float32')
    const dense = buffer(this.shape, 'float32')
    const done = native.rowsDense(summedOperand(this.ids, rows, this.dtype), this.shape[0], dense.operand())
    rows.dispose()
    check(done)
    return typed(dense, this.dtype)
  }

  /** Frees both tensors; where it is the `grad` of a weight, set that to null. */
  dispose(): void {
    this.ids.dispose()
    this.rows.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return this.rows.disposed ? 'SparseGrad(disposed)' : `SparseGrad(shape=[${this.shape}], ids=${this.ids}, rows=${this.rows})`
  }

  /** The shape, the ids and the rows as nested arrays, for `JSON.stringify`. @throws UsageError as `Tensor.toJSON`. */
  toJSON(): { shape: number[]; ids: number[]; rows: number[][] } {
    return { shape: [...this.shape], ids: this.ids.toJSON(), rows: this.rows.toJSON() }
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #own in value && isInstance(this, SparseGrad, value)
  }

  static {
    guardReceivers(this, (value) => #own in value)
    CONTENTS.guard(this, (value) => #own in value)
  }
}

/** Makes the constructor private at run time too. */
const PRIVATE = Symbol('by backward')

/** A fresh tensor, its elements unspecified. */
function buffer(shape: readonly number[], dtype: DType): Tensor {
  return Tensor.over(PooledStorage.uninitialized(sizeOf(shape) * facts(dtype).bytes), dtype, shape.slice())
}

/** The same, nobody's scope's. */
function kept(shape: readonly number[], dtype: DType): Tensor {
  const made = buffer(shape, dtype)
  untrack(made)
  return made
}

/** A tensor in another type, in its place. */
function typed(tensor: Tensor, dtype: DType): Tensor {
  if (tensor.dtype === dtype) return tensor
  const other = tensor.to(dtype)
  tensor.dispose()
  return other
}

function summedOperand(ids: Tensor, rows: Tensor, dtype: DType): GradOperand {
  return {
    ids: ids.operand(), rows: rows.operand(), summed: true, room: 0, count: ids.size, dim: rows.shape[1],
    coefficients: undefined, format: dtype as ResultType,
  }
}

/** Where the ids of a batch occur, as the native side wrote it. @internal */
export interface Order {
  /** ids, starts, places: one block for `room` ids. */
  readonly block: Tensor
  readonly room: number
  /** How many different ids there are. */
  readonly count: number
  /** One beside each place, where rows are multiplied before they are summed. */
  readonly coefficients: Tensor | null
}

/** The order of `n` ids: `write` fills it in and says how many different ones there are. @internal */
export function orderOf(n: number, weighted: boolean, write: (block: Operand, coefficients?: Operand) => number | null): Order {
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
  | { readonly summed: false; readonly order: Order; readonly grad: Tensor }
  | { readonly summed: true; readonly ids: Tensor; readonly rows: Tensor }

/**
 * Rows of a table's gradient as a leaf collects them: the order of the ids and the gradient of the output, until somebody
 * looks or adds to it. Once a dense tensor was shown, that one counts, since its viewer may have changed it. @internal
 */
export class TableGradient implements RowsGradient {
  readonly #table: TableFacts
  #rows: Rows | null
  #shown: Tensor | SparseGrad | null = null
  /** Ends the watch over the gradient of the output. */
  #unwatch: (() => void) | null = null

  private constructor(table: TableFacts, rows: Rows | null) {
    this.#table = table
    this.#rows = rows
  }

  /**
   * Rows of `grad`, the gradient of an output, where the order says. It is kept as it is until somebody is about to change
   * it, as whoever gave it to `backward` may; where that could not be seen, rows are summed at once.
   */
  static pending(table: TableFacts, order: Order, grad: Tensor): TableGradient {
    const rows = grad.to('float32')
    untrack(rows)
    const gradient = new TableGradient(table, { summed: false, order, grad: rows })
    gradient.#unwatch = rows.watch(() => void gradient.#sum())
    if (gradient.#unwatch === null) gradient.#sum()
    return gradient
  }

  /** What somebody gives a weight as its gradient. */
  static of(grad: SparseGrad): TableGradient {
    const gradient = new TableGradient({ shape: grad.shape, dtype: grad.dtype, sparse: true }, null)
    gradient.#shown = grad
    return gradient
  }

  /** Rows that `write` sums: of the ids of an order, of which nothing else is wanted. */
  static summed(table: TableFacts, { block, count, coefficients }: Order, write: (rows: Operand) => boolean): TableGradient {
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
  changeable(): Tensor {
    if (this.#shown instanceof Tensor) return this.#shown
    return this.#shown === null ? this.#sum().rows : this.#shown.rows
  }

  /** Rows as the native side reads them; null where a dense tensor was shown, which counts then. @internal */
  operand(): GradOperand | null {
    if (this.#shown instanceof Tensor) return null
    if (this.#shown !== null) return summedOperand(this.#shown.ids, this.#shown.rows.to('float32'), this.dtype)
    const rows = this.#rows
    if (rows === null) throw new UsageError('use of a gradient that was let go')
    if (rows.summed) return summedOperand(rows.ids, rows.rows, this.dtype)
    const { block, room, count, coefficients } = rows.order
    return {
      ids: block.operand(), rows: rows.grad.operand(), summed: false, room, count, dim: this.shape[1],
      coefficients: coefficients?.operand(), format: this.dtype as ResultType,
    }
  }

  /** Sums what waits. */
  #sum(): { readonly ids: Tensor; readonly rows: Tensor } {
    if (this.#shown instanceof SparseGrad) return { ids: this.#shown.ids, rows: this.#shown.rows.to('float32') }
    const before = this.#rows!
    if (before.summed) return before
    const { block, count } = before.order
    const rows = kept([count, this.shape[1]], 'float32')
    check(native.rowsSum(this.operand()!, rows.operand()))
    const summed = { summed: true, ids: idsOf(block.detach(), count), rows } as const
    this.#release()
    return (this.#rows = summed)
  }

  /** A dense tensor of all rows, fresh. */
  #dense(): Tensor {
    const dense = kept(this.shape, 'float32')
    check(native.rowsDense(this.operand()!, this.shape[0], dense.operand()))
    const result = typed(dense, this.dtype)
    untrack(result)
    return result
  }

  shown(): Tensor | SparseGrad {
    if (this.#shown !== null) return this.#shown
    if (!this.#table.sparse) this.#shown = this.#dense()
    else {
      const { ids, rows } = this.#sum()
      const own = rows.to(this.dtype)
      const shown = SparseGrad.over(ids.detach(), own, this.shape)
      untrack(shown.ids)
      untrack(own)
      this.#shown = shown
    }
    this.#release()
    return this.#shown
  }

  plus(more: Gradient): Gradient {
    if (isTensor(more)) return this.#plusDense(more, true)
    const other = more as TableGradient
    if (this.#shown instanceof Tensor) return other.#plusDense(this.#shown, false)
    if (other.#shown instanceof Tensor) return this.#plusDense(other.#shown, false)
    return this.#plusRows(other)
  }

  /** With a tensor, which is taken over if it is `own`. */
  #plusDense(dense: Tensor, own: boolean): Tensor {
    if (this.#shown instanceof Tensor || this.dtype !== 'float32') {
      const rows = this.#shown instanceof Tensor ? this.#shown.detach() : this.#dense()
      const sum = dense.add(rows)
      rows.dispose()
      if (own) dense.dispose()
      this.dispose()
      return sum
    }
    const into = own && dense.alone ? dense : dense.clone()
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
function idsOf(block: Tensor, count: number): Tensor {
  const ids = block.narrow(0, 0, count)
  untrack(ids)
  block.dispose()
  return ids
}
