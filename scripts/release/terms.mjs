// The license texts of the crates that are compiled in, word for word, for the packages with binaries. Most of them
// require that copies include their notice.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { compiledIn } from '../notices.mjs'
import { root } from '../process.mjs'
import { eachOnce, textsOf } from '../terms.mjs'

/**
 * Crates that are published without the license file of their repository. Another package from the same repository
 * has it.
 */
const ELSEWHERE = {
  napi: 'node_modules/@napi-rs/cli',
  'napi-sys': 'node_modules/@napi-rs/cli',
  'napi-build': 'node_modules/@napi-rs/cli',
}

/** The standard library has the authors and terms of the crate `libc`. */
const STANDARD_LIBRARY = "Rust's standard library"

let known

/**
 * The notices of this project, with the terms of each crate below them; a text that several crates have is there
 * once.
 */
export function noticesWithTerms() {
  known ??= `${readFileSync(join(root, 'THIRD_PARTY_NOTICES.md'), 'utf8')}\n## Terms of the crates\n\n${termsOfCrates()}`
  return known
}

function termsOfCrates() {
  const texts = compiledIn().flatMap(({ name, version, license, manifest_path: manifest }) => {
    const folder = ELSEWHERE[name] ? join(root, ELSEWHERE[name]) : dirname(manifest)
    const names = [`${name} ${version}`, ...(name === 'libc' ? [STANDARD_LIBRARY] : [])]
    return textsOf(folder, name, license).flatMap((text) => names.map((name) => ({ name, text })))
  })
  return eachOnce(texts)
    .map(({ text, names }) => `### ${names.join(', ')}\n\n\`\`\`\`text\n${text}\n\`\`\`\`\n`)
    .join('\n')
}
