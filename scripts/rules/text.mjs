// Rules for every file of the project.
import { staleNotices } from '../notices.mjs'
import { badLines, projectFiles, read } from './files.mjs'

const MAX_LINES = 600
/** Whether people write the file, as opposed to tools, and it is not data. */
const isWritten = (path) =>
  !/(^|\/)(package-lock\.json|Cargo\.lock)$/.test(path) && (!path.startsWith('testdata/') || path.endsWith('.py'))
const isText = (path) => !read(path).includes('\0')
const written = () => projectFiles().filter((path) => isWritten(path) && isText(path))

function longFiles() {
  return written()
    .filter((path) => /\.(rs|[cm]?[jt]s|py|sh)$/.test(path))
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines`)
}

export const textRules = [
  { name: `no source file is longer than ${MAX_LINES} lines`, offenders: longFiles },
  {
    name: 'no file has a note of work to do',
    offenders: () => badLines(written(), (line) => /\b(?:TO[D]O|FIX[M]E)\b/.test(line)),
  },
  {
    name: "no file names a path of somebody's machine",
    offenders: () => badLines(written(), (line) => /(?<![\w.$}-])\/(?:work|root|home|Users)\/\w/.test(line)),
  },
  { name: 'the notices name everything that is compiled in', offenders: staleNotices },
]
