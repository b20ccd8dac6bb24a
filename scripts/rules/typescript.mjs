// Rules about which TypeScript may import which.
import { isBuiltin } from 'node:module'
import { badLines, projectFiles } from './files.mjs'
import { circles, imports } from './imports.mjs'

/**
 * The rooms of api/, floor by floor from the ground up. A room may import rooms of its own floor and of those below.
 */
const API = [
  ['base'],
  ['native'],
  ['memory'],
  ['ops'],
  ['autograd'],
  ['tensor'],
  ['layers', 'optim', 'files', 'text'],
  ['vectors', 'search', 'surgery', 'pipelines', 'pretrained'],
  ['models', 'arrow', 'queue', 'rows'],
  ['train', 'embed'],
]
/** The rooms of cli/, likewise; '.' stands for the files outside of any room. */
const CLI = [['bundled'], ['terminal'], ['draw', 'options', 'explore'], ['commands'], ['.']]

/** Pairs of files that import each other's types, each with the reason. There is no cycle of values. */
const PAIRS = [
  {
    files: ['api/tensor/sparse-grad.ts', 'api/tensor/tensor.ts'],
    reason: 'the grad of a Tensor may be a SparseGrad, whose ids and rows are Tensors',
  },
]

const offendersAmong = (isOffender) => () =>
  imports()
    .filter(isOffender)
    .map(({ path, said }) => `${path} imports ${said}`)

/**
 * Whether an import names a foreign package: not a file, not a module of Node, and not text that looks like an
 * import.
 */
const isPackage = ({ said, target }) => target === null && /^(@[\w-]+\/)?[\w-][\w./-]*$/.test(said) && !isBuiltin(said)

const isIn = (folder, path) => path.startsWith(`${folder}/`)
/** The files that users import. */
const ENTRIES = ['index.ts', 'arrow.ts', 'queue.ts']
/**
 * The packages that users install themselves, and the one file of a room that loads them. Others may import their
 * types.
 */
const PEERS = [
  { packages: ['bullmq', 'ioredis', 'pg'], room: 'api/queue' },
  { packages: ['ioredis'], room: 'api/rows' },
  { packages: ['@resvg/resvg-js'], room: 'cli/draw' },
]
const isPeer = ({ path, said, isType }) =>
  PEERS.some(
    ({ packages, room }) => packages.includes(said) && isIn(room, path) && (isType || path === `${room}/peers.ts`),
  )
const OUTSIDE = ['cli', 'examples', 'bench']

/** The room of a file in a folder: `.` if it is in no room, null if the file is elsewhere. */
function roomOf(folder, path) {
  if (path === null || !isIn(folder, path)) return null
  const [room, ...rest] = path.slice(folder.length + 1).split('/')
  return rest.length > 0 ? room : '.'
}

/** One rule for each room, and one rule that every room has a floor. */
function floorRules(folder, floors) {
  const rooms = floors.flat()
  const ofRooms = floors.flatMap((floor, height) =>
    floor.map((room) => {
      const allowed = floors.slice(0, height + 1).flat()
      const others = allowed.filter((other) => other !== room)
      return {
        name: `${folder}/${room === '.' ? '*.ts' : room} imports of ${folder}/ only ${others.join(', ') || 'itself'}`,
        offenders: offendersAmong(({ path, source }) => {
          const of = roomOf(folder, source)
          return roomOf(folder, path) === room && of !== null && !allowed.includes(of)
        }),
      }
    }),
  )
  const isHomeless = (path) => /\.[cm]?ts$/.test(path) && isIn(folder, path) && !rooms.includes(roomOf(folder, path))
  const homes = {
    name: `every file of ${folder}/ is in a room that has a floor`,
    offenders: () => projectFiles().filter(isHomeless),
  }
  return [...ofRooms, homes]
}

const isPair = ({ path, source, isType }) =>
  isType && PAIRS.some(({ files }) => files.includes(path) && files.includes(source))
const FREE_OF_CIRCLES = ['api', 'cli', 'bench', 'examples']

/** A function that lists the cycles among the imports for which `counts` is true, as texts. */
const circlesAmong = (counts) => () => {
  const edges = imports().filter(
    (one) => one.source !== null && FREE_OF_CIRCLES.some((folder) => isIn(folder, one.path)) && counts(one),
  )
  return circles(edges.map(({ path, source }) => [path, source])).map((circle) => circle.join(' <-> '))
}

export const typescriptRules = [
  ...floorRules('api', API),
  ...floorRules('cli', CLI),
  {
    name: 'imports of values have no cycle',
    offenders: circlesAmong(({ isType }) => !isType),
  },
  {
    name: 'imports of values and types have no cycle, except for the listed pairs',
    offenders: circlesAmong((one) => !isPair(one)),
  },
  {
    name: 'index.ts, arrow.ts and queue.ts import only api/',
    offenders: offendersAmong(({ path, target }) => ENTRIES.includes(path) && !(target && isIn('api', target))),
  },
  {
    name: 'index.ts reaches nothing of api/arrow/, whose packages most users have not',
    offenders: offendersAmong(
      ({ path, source }) =>
        source !== null &&
        roomOf('api', source) === 'arrow' &&
        roomOf('api', path) !== 'arrow' &&
        path.startsWith('api/'),
    ),
  },
  {
    name: 'api/ imports nothing above it',
    offenders: offendersAmong(
      ({ path, said, target }) => isIn('api', path) && target && !isIn('api', target) && !isNative(said),
    ),
  },
  {
    name: 'only api/native/native.ts imports native.cjs',
    offenders: offendersAmong(({ path, said }) => path !== 'api/native/native.ts' && isNative(said)),
  },
  {
    name: 'api/ and cli/ import packages only in cli/bundled/, whose files contain what they import, and optional ones in api/arrow/, api/queue/, api/rows/ and cli/draw/',
    offenders: offendersAmong(
      (one) =>
        ['api', 'cli'].some((folder) => isIn(folder, one.path)) &&
        !isIn('cli/bundled', one.path) &&
        !(isIn('api/arrow', one.path) && OPTIONAL.includes(one.said)) &&
        isPackage(one) &&
        !isPeer(one) &&
        !one.said.startsWith('tokenbed-'),
    ),
  },
  {
    name: 'cli/, examples/ and bench/ import tokenbed only through index and queue',
    offenders: offendersAmong(({ path, target }) =>
      OUTSIDE.some(
        (folder) => isIn(folder, path) && target && !isIn(folder, target) && !['index.js', 'queue.js'].includes(target),
      ),
    ),
  },
  {
    name: 'api/ and cli/ do not use `using`, because realms of test runners lack Symbol.dispose',
    offenders: () =>
      badLines(
        projectFiles().filter((path) => /^(api|cli)\/.*\.m?ts$/.test(path)),
        (line) => /^\s*(await )?using \w+ =/.test(line),
      ),
  },
  {
    name: 'api/ uses the checks of api/base/realm.ts, which hold in every realm, instead of instanceof',
    offenders: () =>
      badLines(
        projectFiles().filter((path) => /^api\/.*\.ts$/.test(path) && path !== 'api/base/realm.ts'),
        (line) => FOREIGN.test(line),
      ),
  },
]

/** The packages that users of tokenbed/arrow install. */
const OPTIONAL = ['apache-arrow', 'hyparquet', 'hyparquet-writer']

/** `instanceof` of a class of the language or of Node, which fails for objects of another realm. */
const FOREIGN =
  /instanceof (?:Object|Array|Function|Map|Set|Weak\w+|Date|RegExp|Promise|(?:Type|Range|Syntax)?Error|(?:Shared)?ArrayBuffer|(?:Big)?(?:Int|Uint|Float)\d+\w*|URL|AbortSignal)\b/

function isNative(said) {
  return said.endsWith('/native.cjs')
}
