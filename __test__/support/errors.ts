// Errors as users see them.

import type { ExecutionContext } from 'ava'
import {
  DTypeError,
  FileError,
  FormatError,
  ShapeError,
  TokenbedError,
  TokenIndexError,
  UsageError,
} from '../../index.js'

const CLASSES = {
  USAGE: UsageError,
  SHAPE: ShapeError,
  DTYPE: DTypeError,
  TOKEN_INDEX: TokenIndexError,
  FORMAT: FormatError,
  FILE: FileError,
}

/** Asserts that `run` throws the class of this code with every part in its message, and returns the error. */
export function refuses<C extends keyof typeof CLASSES>(
  t: ExecutionContext,
  run: () => unknown,
  code: C,
  ...parts: string[]
): InstanceType<(typeof CLASSES)[C]> {
  const error = t.throws(run, { any: true }) as TokenbedError
  t.true(error instanceof CLASSES[code], `${String(error)} is no ${CLASSES[code].name}`)
  t.true(error instanceof TokenbedError && error instanceof Error)
  t.is(error.code, code)
  // An error of a subclass has the name of that class.
  t.is(error.name, error.constructor.name)
  for (const part of parts) t.true(error.message.includes(part), `"${error.message}" does not say "${part}"`)
  return error as InstanceType<(typeof CLASSES)[C]>
}
