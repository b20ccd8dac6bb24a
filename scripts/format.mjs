// Formats the tree, TypeScript and Rust: node scripts/format.mjs
//
// TypeScript, JavaScript and JSON by oxfmt, as .oxfmtrc.json says; Rust by cargo fmt, as rustfmt.toml says; comments,
// which neither wraps, by comments.mjs.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wrapComments } from './comments.mjs'
import { root, run, runIfMain, tool } from './process.mjs'
import { projectFiles, read } from './rules/files.mjs'

/** The command that formats what oxfmt knows. */
export const oxfmt = () => tool('oxfmt', 'oxfmt')

/** The arguments of `cargo fmt` for the workspace, and for each crate of tests that is none of its members. */
export function rustTrees() {
  const others = projectFiles().filter((path) => /\/(fuzz|loom|faults)\/Cargo\.toml$/.test(path))
  return [['--all'], ...others.map((path) => ['--manifest-path', path])]
}

/** The files whose comments have lines that are too long: their path, what they hold, and what they should. */
export function unwrapped() {
  const sources = projectFiles().filter((path) => /\.([cm]?[jt]s|rs)$/.test(path) && !path.startsWith('testdata/'))
  return sources.flatMap((path) => {
    const text = read(path)
    const wanted = wrapComments(text)
    return wanted === text ? [] : [{ path, text, wanted }]
  })
}

function format() {
  for (const which of rustTrees()) run(['cargo', 'fmt', ...which])
  run(oxfmt())
  for (const { path, wanted } of unwrapped()) writeFileSync(join(root, path), wanted)
}

await runIfMain(import.meta, format)
