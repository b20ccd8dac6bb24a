// The packages that read and write files of Arrow and Parquet. They are installed by those who need them.

import { FormatError, UsageError, TokenbedError } from '../base/errors.js'

/** The packages, each imported when it is first needed. */
const PEERS = {
  'apache-arrow': () => import('apache-arrow'),
  hyparquet: () => import('hyparquet'),
  'hyparquet-writer': () => import('hyparquet-writer'),
} as const
type Peers = typeof PEERS

/**
 * Imports a package. @internal
 *
 * @throws UsageError, which says what to install, if it is not there.
 */
export async function peer<Name extends keyof Peers>(
  name: Name,
  where: string,
): Promise<Awaited<ReturnType<Peers[Name]>>> {
  try {
    return (await PEERS[name]()) as Awaited<ReturnType<Peers[Name]>>
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const isMissing = /^(ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND)$/.test(code ?? '') && message.includes(name)
    const why = isMissing ? 'which is not installed' : `which cannot be loaded (${message})`
    const error = new UsageError(`${where}: it needs the package ${name}, ${why}: npm install ${name}`)
    error.cause = cause
    throw error
  }
}

/** Runs the reader of a package over a file of any bytes: its failures are errors about the file. @internal */
export async function reading<T>(path: string, what: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof TokenbedError) throw cause
    const error = new FormatError(`${path}: not ${what} that can be read: ${(cause as Error).message}`, path, 0)
    error.cause = cause
    throw error
  }
}
