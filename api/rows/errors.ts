// What goes wrong between a store of rows and the place where its rows are.

import { TokenbedError } from '../base/errors.js'

/** Rows cannot be had (code `ROWS`). No lookup gives a part of what was asked for. */
export class RowStoreError extends TokenbedError {
  /**
   * The reason:
   *
   * - `unreachable`: the server, or the part of a cluster that has the rows, did not answer in time;
   * - `missing`: the place has no such row, or no such table;
   * - `damaged`: a row, or the description of the table, is not what it should be;
   * - `refused`: the server answered with an error, is a Redis that may drop rows, or has another table.
   */
  readonly reason: 'unreachable' | 'missing' | 'damaged' | 'refused'
  /** The first thousand ids whose rows were asked for in vain; none if it is not about rows. */
  readonly ids: readonly number[]
  constructor(
    message: string,
    reason: RowStoreError['reason'],
    options?: { ids?: readonly number[]; cause?: unknown },
  ) {
    super('ROWS', message, options)
    this.reason = reason
    this.ids = options?.ids ?? []
  }
}

/** How many ids an error keeps. */
export const MOST_IDS = 1000

/** Some ids, for a message. */
export function shownIds(ids: readonly number[]): string {
  const more = ids.length > 5 ? ` and ${ids.length - 5} more` : ''
  return `${ids.length === 1 ? 'id' : 'ids'} ${ids.slice(0, 5).join(', ')}${more}`
}
