// The page, which the build made one file of: markup, style and program.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gzipSync } from 'node:zlib'
import { WorkFailed } from '../terminal/failure.js'
import { escaped } from '../draw/svg.js'

/** Where the title, the policy and the data go. */
const MARKS = { title: '%TITLE%', policy: '%POLICY%', nonce: '%NONCE%', data: '%DATA%' }

function template(): string {
  const path = join(__dirname, '../bundled/explorer.html.br')
  try {
    return brotliDecompressSync(readFileSync(path)).toString()
  } catch (error) {
    throw new WorkFailed(`${path}: the page of the explorer is missing or damaged: install tokenbed again`, {
      cause: error,
    })
  }
}

/**
 * The page may load nothing from elsewhere, and says so to the browser. The library that draws points compiles its
 * commands when it starts, for which it needs 'unsafe-eval'; names of rows are never part of them.
 */
const policyOf = (nonce: string, isServed: boolean) =>
  [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}' 'unsafe-eval'`,
    `style-src 'nonce-${nonce}' 'unsafe-inline'`,
    `img-src data: blob:`,
    `worker-src blob:`,
    ...(isServed ? [`connect-src 'self'`] : []),
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ')

/** The page as a server gives it, which then asks for the data. */
export const servedPage = (title: string, nonce: string) => filled(title, nonce, '')

/** The page with its data inside. */
export const wholePage = (title: string, data: Buffer) =>
  filled(title, 'tokenbed', gzipSync(data, { level: 6 }).toString('base64'))

function filled(title: string, nonce: string, data: string): string {
  const policy = policyOf(nonce, data === '')
  const values: Record<string, string> = { title: escaped(title), policy: escaped(policy), nonce, data }
  return Object.entries(MARKS).reduce((text, [name, mark]) => text.split(mark).join(values[name]), template())
}
