// `Tensor.set`: writes values into a tensor's elements.

import { facts } from '../base/dtype.js'
import { ShapeError } from '../base/errors.js'
import { checkSize, isObject } from '../base/validate.js'
import { convert, Elements, temporary } from '../ops/elements.js'
import { clone, write } from '../ops/movement.js'
import { elementsOf } from './values.js'

/** Writes `values` into the elements from `offset` on, for `Tensor.set`. */
export function assign(into: Elements, values: Elements | ArrayLike<number>, offset: number): void {
  const where = 'Tensor.set'
  into.checkWritable(where)
  checkSize(offset, `${where}: offset`)
  const source = values instanceof Elements ? values : null
  const length = source
    ? source.size
    : checkSize(isObject(values) ? (values as ArrayLike<number>).length : undefined, `${where}: length of the values`)
  if (offset + length > into.size) {
    throw new ShapeError(`${where}: ${length} values from offset ${offset} on do not fit in ${into.size} elements`)
  }
  into.beginWrite(where)
  if (source && source.dtype === into.dtype) copy(source, into, offset)
  else if (source) temporary(convert(source, into.dtype, where), (converted) => write(converted, into, offset))
  else {
    const data = elementsOf(values as ArrayLike<number>, into.dtype, where)
    write({ dtype: into.dtype, shape: [length], size: length, operand: () => data }, into, offset)
  }
}

function copy(source: Elements, into: Elements, offset: number): void {
  if (source.storage.base !== into.storage.base) return write(source, into, offset)
  if (source.storageOffset === into.storageOffset + offset * facts(into.dtype).bytes) return
  // The two ranges may overlap, so copy the source first.
  temporary(clone(source, 'Tensor.set'), (copy) => write(copy, into, offset))
}
