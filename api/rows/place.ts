// Where a table on a server is. These types name no package, so that they can be read without the client.

import type { ResultType } from '../base/dtype.js'

/**
 * Where a server is: `redis://`, `rediss://` or `valkey://` and what follows, or the options of ioredis. A list of such
 * URLs names some nodes of a cluster, which tell of the others; so does `nodes` beside the options of ioredis's
 * Cluster.
 */
export type RowsConnection = string | readonly string[] | { readonly [option: string]: unknown }

/** A table on a server. */
export interface ServedRows {
  readonly connection: RowsConnection
  /** The name of the table. */
  readonly table: string
  /** The SHA-256 that the table must have, as `RowStore.save` returned it. */
  readonly sha256?: string
  /** How long a server may take to answer, a failover included, in milliseconds; default 10,000. */
  readonly timeoutMs?: number
}

/** What a table is, as its server says it. */
export interface SavedTable {
  readonly rows: number
  readonly dim: number
  readonly dtype: ResultType
  /** Of the bytes of all rows, end to end, as the table was saved. */
  readonly sha256: string
}
