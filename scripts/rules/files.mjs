// Finds the files that the rules check.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root } from '../process.mjs'

/** Paths, from the root, of the files that git tracks or would track once they are added. */
export function projectFiles() {
  const { ok, stdout, stderr } = capture(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'])
  if (!ok) throw new Failure(`git ls-files: ${stderr.trim()}`)
  return stdout.split('\0').filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
}

export function read(path) {
  return readFileSync(join(root, path), 'utf8')
}

/** `path:line: text` for every line of these files for which `isBad` is true. */
export function badLines(paths, isBad) {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, i) => (isBad(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [])),
  )
}
