// Rules for the workflows in .github/: actions must be pinned to code that cannot change, and checkouts must keep no
// token.
import { badLines, projectFiles, read } from './files.mjs'

const workflows = () => projectFiles().filter((path) => /^\.github\/workflows\/.*\.yml$/.test(path))

/**
 * Actions must be pinned by commit, because a tag can be moved to other code. The version stands beside it for
 * readers.
 */
function unpinned() {
  return badLines(
    workflows(),
    (line) => /^\s*(- )?uses:/.test(line) && !/uses: [\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line),
  )
}

function keepingTokens() {
  return workflows().flatMap((path) => {
    const lines = read(path).split('\n')
    return lines.flatMap((line, i) =>
      /uses: actions\/checkout@/.test(line) && !/persist-credentials: false/.test(lines[i + 1])
        ? [`${path}:${i + 1}`]
        : [],
    )
  })
}

/** Each workflow may only read; jobs add the permissions that they need. */
function permissive() {
  return workflows().filter((path) => !/^permissions:\n {2}contents: read$/m.test(read(path)))
}

export const workflowRules = [
  { name: 'actions are pinned by commit', offenders: unpinned },
  { name: 'no checkout keeps its token', offenders: keepingTokens },
  { name: 'workflows may only read, and each job names its other permissions', offenders: permissive },
]
