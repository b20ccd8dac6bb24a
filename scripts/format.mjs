// Formats the tree: node scripts/format.mjs
//
// oxfmt formats TypeScript, JavaScript and JSON by .oxfmtrc.json, and cargo fmt formats Rust by rustfmt.toml. Neither
// wraps comments; comments.mjs does.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wrapComments } from './comments.mjs'
import { Failure, root, run, runIfMain, tool } from './process.mjs'
import { projectFiles, read } from './rules/files.mjs'

/** The command that formats what oxfmt knows. */
export const oxfmt = () => tool('oxfmt', 'oxfmt')

/** The text of a file as oxfmt formats it. */
export function formatted(path, text) {
  const [command, ...args] = [...oxfmt(), `--stdin-filepath=${path}`]
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, input: text, encoding: 'utf8' })
  if (status !== 0) throw new Failure(`oxfmt of ${path}: ${stderr}`)
  return stdout
}

/** The arguments of `cargo fmt` for the workspace, and for each test crate outside of it. */
export function rustTrees() {
  const others = projectFiles().filter((path) => /\/(fuzz|loom|faults)\/Cargo\.toml$/.test(path))
  return [['--all'], ...others.map((path) => ['--manifest-path', path])]
}

/** The files whose comments have lines that are too long: path, current text, and wrapped text. */
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
