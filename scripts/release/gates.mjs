// Checks of the packages before they are published. A gate is a name and its offenders, one text each.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { bundle } from '../bundle.mjs'
import { compiledIn, staleNotices } from '../notices.mjs'
import { capture, root, tool } from '../process.mjs'
import { formatOf, glibcFloor } from './formats.mjs'
import { sbomDrift } from './sbom.mjs'
import { binaryName, platforms, readJson } from './stage.mjs'

/** The glibc that Node 20 itself needs, so that everyone who runs Node has it. */
const GLIBC = 28
const ENTRY = 'napi_register_module_v1'
const SYSTEMS = {
  linux: /^(ld-linux[\w-]*\.so\.\d|lib(c|m|dl|rt|pthread|gcc_s)\.so\.\d)$|^libc\.musl-\w+\.so\.1$|^libc\.so$/,
  win32:
    /^(kernel32|ntdll|msvcrt|ucrtbase|ws2_32|userenv|advapi32|bcrypt|bcryptprimitives|dbghelp|user32|api-ms-win-[\w-]+)\.dll$/i,
  darwin: /^\/usr\/lib\/lib(System\.B|iconv\.2|objc\.A)\.dylib$/,
}
/** The oldest macOS that the binaries are built for, which is that of Node 20. */
const MACOS = '11.0'
/**
 * Files of the root's package. The addon has packages of its own, one a platform; tests and sources are not
 * published.
 */
const OF_ROOT =
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|THIRD_PARTY_NOTICES\.md|vocab\/\w+\.br|dist\/(index|arrow|queue)\.(m?js|d\.m?ts)|dist\/native\.d\.cts|dist\/api\/([\w-]+\/)*[\w-]+\.(js|d\.ts)|dist\/cli\/([\w-]+\/)*[\w-]+\.js|dist\/cli\/bundled\/[\w.-]+\.(mjs|br))$/
const NEEDED = [
  'dist/index.js',
  'dist/index.mjs',
  'dist/index.d.ts',
  'dist/index.d.mts',
  'dist/arrow.js',
  'dist/arrow.mjs',
  'dist/arrow.d.ts',
  'dist/arrow.d.mts',
  'dist/queue.js',
  'dist/queue.mjs',
  'dist/queue.d.ts',
  'dist/queue.d.mts',
  'dist/api/native/whole.js',
  'dist/cli/tokenbed.js',
  'dist/cli/commands/all.js',
  'dist/cli/bundled/commander.js',
  'package.json',
  'README.md',
  'LICENSE',
  'THIRD_PARTY_NOTICES.md',
]
const OF_PLATFORM = ['LICENSE', 'README.md', 'THIRD_PARTY_NOTICES.md', 'package.json']

/**
 * All gates for the packages that `pack` returned: the root's and those of platforms, each with the folder it was
 * staged in. If `isPortable` is false, the binary was built for this machine and need not run on older ones.
 */
export function gates(rootPackage, platformPackages, { isPortable }) {
  return [
    { name: 'files of the root package', offenders: rootFiles(rootPackage) },
    { name: 'files of the platform packages', offenders: platformPackages.flatMap(platformFiles) },
    { name: 'versions and engines are equal', offenders: versions(rootPackage, platformPackages) },
    {
      name: 'nothing else is installed',
      offenders: Object.keys(readJson(join(rootPackage.staged, 'package.json')).dependencies ?? {}),
    },
    { name: 'nothing is run by installing', offenders: installScripts([rootPackage, ...platformPackages]) },
    { name: 'binaries are for their platforms', offenders: platformPackages.flatMap(wrongPlatform) },
    {
      name: 'binaries export one symbol, and need the system alone',
      offenders: platformPackages.flatMap(strangeSymbols),
    },
    { name: 'binaries have the allocator of the system', offenders: platformPackages.flatMap(failingAllocator) },
    ...(isPortable ? [{ name: `binaries load on glibc 2.${GLIBC}`, offenders: platformPackages.flatMap(tooNew) }] : []),
    { name: 'types of the native part are those of the binary', offenders: drift(platformPackages) },
    { name: 'the module for import names what there is', offenders: moduleDrift(rootPackage) },
    { name: 'the list of what is in them is whole', offenders: sbomDrift(rootPackage, platformPackages) },
    { name: 'licences', offenders: [...licences(), ...staleNotices()] },
    ...[rootPackage, ...platformPackages].map((one) => ({
      name: `publint, ${one.name}`,
      offenders: said([...tool('publint', 'publint'), one.tarball, '--strict']),
    })),
    { name: 'attw', offenders: attw(rootPackage, ['--entrypoints', '.']) },
    // The oldest way of finding modules does not know the exports of package.json, and so no second entry.
    { name: 'attw, tokenbed/arrow', offenders: attw(rootPackage, ['--entrypoints', 'arrow', '--profile', 'node16']) },
  ]
}

/** The allocator that tests can make fail is a feature that no shipped binary may have. */
function failingAllocator({ name, staged, platform }) {
  return readFileSync(join(staged, binaryName(platform))).includes('allocatorArm') ? [name] : []
}

const pathsOf = ({ files }) => files.map(({ path }) => path)

function rootFiles(one) {
  const paths = pathsOf(one)
  const missing = NEEDED.filter((path) => !paths.includes(path)).map((path) => `missing: ${path}`)
  return [...missing, ...paths.filter((path) => !OF_ROOT.test(path)).map((path) => `should not be there: ${path}`)]
}

function platformFiles(one) {
  const wanted = [...OF_PLATFORM, binaryName(one.platform)].sort()
  const found = pathsOf(one).sort()
  return found.join() === wanted.join() ? [] : [`${one.name}: ${found.join(', ')}`]
}

/** The versions must agree, because npm silently leaves out a platform's package whose engines do not fit. */
function versions(rootPackage, platformPackages) {
  const its = readJson(join(rootPackage.staged, 'package.json'))
  const wanted = Object.fromEntries(platforms().map((name) => [`${its.name}-${name}`, its.version]))
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)
  const wrong = same(its.optionalDependencies, wanted) ? [] : ['optionalDependencies of the root package']
  return platformPackages.reduce((found, { name, staged }) => {
    const { version, engines, license } = readJson(join(staged, 'package.json'))
    return same([version, engines, license], [its.version, its.engines, its.license]) ? found : [...found, name]
  }, wrong)
}

const SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']

function installScripts(packages) {
  const own = packages.filter(({ staged }) =>
    SCRIPTS.some((name) => readJson(join(staged, 'package.json')).scripts?.[name]),
  )
  const { packages: locked } = readJson(join(root, 'package-lock.json'))
  const others = Object.entries(locked).filter(([, { dev, hasInstallScript }]) => !dev && hasInstallScript)
  return [...own.map(({ name }) => name), ...others.map(([path]) => path)]
}

const binaryOf = ({ staged, platform }) => join(staged, binaryName(platform))

function wrongPlatform(one) {
  const { system, arch } = formatOf(binaryOf(one))
  return one.platform.startsWith(`${system}-${arch}`) ? [] : [`${one.name}: ${system} ${arch}`]
}

function strangeSymbols(one) {
  const { system, exports, needed, oldest, isSigned } = formatOf(binaryOf(one))
  const wrong = exports.filter((name) => name !== ENTRY && !['_init', '_fini'].includes(name))
  if (!exports.includes(ENTRY)) wrong.push(`no ${ENTRY}`)
  if (system === 'darwin' && oldest !== MACOS) wrong.push(`needs macOS ${oldest}, not ${MACOS}`)
  // macOS loads no unsigned code on arm64; the linker's own signature will do.
  if (one.platform === 'darwin-arm64' && !isSigned) wrong.push('not signed')
  return [...wrong, ...needed.filter((name) => !SYSTEMS[system].test(name))].map((what) => `${one.name}: ${what}`)
}

function tooNew(one) {
  const floor = /^linux-.*-gnu$/.test(one.platform) ? glibcFloor(formatOf(binaryOf(one))) : null
  return floor !== null && Number(floor.split('.')[1]) > GLIBC ? [`${one.name}: needs glibc ${floor}`] : []
}

/** Compares the declared functions with those in this machine's binary. */
function drift(platformPackages) {
  const here = platformPackages.find(({ platform }) => isOfThisMachine(platform))
  if (here === undefined || !existsSync(join(root, 'native.d.cts'))) return []
  const declared = [
    ...readFileSync(join(root, 'native.d.cts'), 'utf8').matchAll(/^export declare function (\w+)/gm),
  ].map(([, name]) => name)
  // Each kind of work on other threads is a class, which JavaScript never constructs.
  const there = Object.keys(createRequire(import.meta.url)(binaryOf(here))).filter((name) => /^[a-z]/.test(name))
  return [
    ...declared.filter((name) => !there.includes(name)).map((name) => `declared, not there: ${name}`),
    ...there.filter((name) => !declared.includes(name)).map((name) => `there, not declared: ${name}`),
  ]
}

/** Whether the platform's name is this machine's. The loader tells musl and glibc apart, not this. */
function isOfThisMachine(platform) {
  const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
  return platform.startsWith(`${process.platform}-${process.arch}`) && platform.endsWith('musl') === isMusl
}

const moduleDrift = ({ staged }) => ['index', 'arrow', 'queue'].flatMap((entry) => driftOf(staged, entry))

function driftOf(staged, entry) {
  const module = readFileSync(join(staged, `dist/${entry}.mjs`), 'utf8')
  const named = [...module.matchAll(/^ {2}(\w+),$/gm)].map(([, name]) => name)
  // What TypeScript wrote, as the package's own entry takes its names from the module.
  const declared = exportedBy(join(root, `dist/${entry}.js`))
  return [...named.filter((name) => !declared.includes(name)), ...declared.filter((name) => !named.includes(name))]
}

/** The names that a compiled module exports: classes of its own, names of others, and all names of others. */
function exportedBy(path) {
  const code = readFileSync(path, 'utf8')
  const names = (pattern) => [...code.matchAll(pattern)].map(([, name]) => name)
  return [
    ...names(/Object\.defineProperty\(exports, "(\w+)", \{ enumerable/g),
    ...names(/^exports\.(\w+) = \1;$/gm),
    ...names(/^__exportStar\(require\("([^"]+)"\), exports\);$/gm).flatMap((from) =>
      exportedBy(join(dirname(path), from)),
    ),
  ]
}

/** The licences that deny.toml allows, for crates and npm packages alike, installed or bundled. */
function licences() {
  const allowed = JSON.parse(/allow = (\[.*?\])/s.exec(readFileSync(join(root, 'deny.toml'), 'utf8'))[1])
  const { packages } = readJson(join(root, 'package-lock.json'))
  const modules = Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .map(([path]) => readJson(join(root, path, 'package.json')))
  return [...compiledIn(), ...bundle({ write: false }), ...modules]
    .filter(({ license }) => !isAllowed(license, allowed))
    .map(({ name, license }) => `${name}: ${license}`)
}

/** Whether an SPDX expression allows a choice that is permitted. `/` is an old way to write OR. */
function isAllowed(expression = '', allowed) {
  const tokens = expression.replaceAll('/', ' OR ').match(/[()]|[\w.+-]+/g) ?? []
  const any = () => {
    let result = all()
    while (tokens[0] === 'OR') (tokens.shift(), (result = all() || result))
    return result
  }
  const all = () => {
    let result = one()
    while (tokens[0] === 'AND') (tokens.shift(), (result = one() && result))
    return result
  }
  const one = () => {
    const token = tokens.shift()
    if (token !== '(') return isNamed(token)
    const result = any()
    tokens.shift()
    return result
  }
  const isNamed = (name) => {
    if (tokens[0] === 'WITH') name = `${name} WITH ${tokens.splice(0, 2)[1]}`
    return allowed.includes(name)
  }
  return any() && tokens.length === 0
}

const attw = ({ tarball }, options) =>
  said([...tool('@arethetypeswrong/cli', 'attw'), tarball, '--no-color', ...options])

function said(command) {
  const { ok, stdout, stderr } = capture(command)
  return ok ? [] : `${stdout}${stderr}`.trim().split('\n')
}
