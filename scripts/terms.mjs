// Finds the files with the license terms of packages and crates.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './process.mjs'

const TERMS = /^(licen[cs]e|copying|copyright|notice|unlicense)/i

/**
 * The texts of a package's terms. If there is a choice, it is MIT's, whose text is short and asks for nothing else;
 * if all terms apply, or no file is named so, all files.
 */
export function textsOf(folder, name, license) {
  const files = readdirSync(folder).filter((file) => TERMS.test(file) && statSync(join(folder, file)).isFile())
  if (files.length === 0) throw new Failure(`${name}, under ${license}, comes without the text of its license`)
  const chosen = / AND /.test(license)
    ? []
    : ([/MIT/i, /APACHE/i].map((kind) => files.filter((file) => kind.test(file))).find((some) => some.length > 0) ?? [])
  return (chosen.length > 0 ? chosen : files).map((file) =>
    readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n'),
  )
}

/**
 * The texts of several packages, each once: `[{ text, names }]`. Line breaks are ignored, because the same words are
 * often broken differently.
 */
export function eachOnce(all) {
  const byWords = new Map()
  for (const { name, text } of all) {
    const words = text.replace(/\s+/g, ' ').trim()
    const one = byWords.get(words) ?? { text: text.trim(), names: [] }
    byWords.set(words, { text: one.text, names: [...one.names, name] })
  }
  return [...byWords.values()]
}
