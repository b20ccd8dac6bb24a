import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'

/** Prints the path of the binary that would be loaded, or why none is. */
const PROGRAM = `
Object.defineProperty(process, 'platform', { value: process.argv[1] })
Object.defineProperty(process, 'arch', { value: process.argv[2] })
try {
  const { path, source } = require('./node_modules/tokenbed/dist/api/native/binary.js').loadBinary()
  console.log(JSON.stringify({ path, source }))
} catch ({ reason, needed, mend }) {
  console.log(JSON.stringify({ reason, needed, mend }))
}
`

/** What the loader does on a platform where these packages are installed, given by name and version. */
function loaded(t: ExecutionContext, packages: Record<string, string>, platform: string, arch: string) {
  const home = mkdtempSync(join(tmpdir(), 'tokenbed-loader-'))
  t.teardown(() => rmSync(home, { recursive: true }))
  const modules = join(home, 'node_modules')
  for (const room of ['base', 'native'])
    cpSync(join(__dirname, '../../api', room), join(modules, 'tokenbed/dist/api', room), { recursive: true })
  for (const [name, version] of Object.entries({ tokenbed: '1.2.3', ...packages })) {
    mkdirSync(join(modules, name), { recursive: true })
    writeFileSync(join(modules, name, 'package.json'), JSON.stringify({ name, version, main: 'binary.js' }))
    writeFileSync(join(modules, name, 'binary.js'), '')
  }
  const env = { ...process.env }
  delete env.TOKENBED_BINARY
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', PROGRAM, platform, arch], {
    cwd: home,
    env,
    encoding: 'utf8',
  })
  t.is(stderr, '')
  const found = JSON.parse(stdout) as Record<string, string>
  return { ...found, path: /tokenbed-[\w-]+/.exec(found.path?.slice(modules.length) ?? '')?.[0] }
}

const [MSVC, GNU] = ['tokenbed-win32-x64-msvc', 'tokenbed-win32-x64-gnu']

test('on Windows the package built there is loaded before the one built on Linux', (t) => {
  const both = { [MSVC]: '1.2.3', [GNU]: '1.2.3' }
  t.deepEqual(loaded(t, both, 'win32', 'x64'), { path: MSVC, source: 'package' })
  t.is(loaded(t, { [MSVC]: '1.2.3' }, 'win32', 'x64').path, MSVC)
  t.is(loaded(t, { [GNU]: '1.2.3' }, 'win32', 'x64').path, GNU)
})

test('a package of another version is loaded by nobody', (t) => {
  t.is(loaded(t, { [MSVC]: '1.2.2', [GNU]: '1.2.3' }, 'win32', 'x64').path, GNU)
  for (const [packages, name] of [
    [{ [MSVC]: '1.2.2', [GNU]: '1.2.2' }, MSVC],
    [{ [GNU]: '1.2.2' }, GNU],
  ] as const) {
    const found = loaded(t, packages, 'win32', 'x64') as Record<string, string | undefined>
    t.is(found.reason, 'version')
    t.true(found.mend?.endsWith(`${name}@1.2.3`), found.mend)
  }
})

test('without any package the first is asked for', (t) => {
  const found = loaded(t, {}, 'win32', 'x64') as Record<string, string | undefined>
  t.deepEqual([found.reason, found.needed], ['missing', `${MSVC} 1.2.3`])
  // There is one package for Windows on arm64, and that of x64 does not help.
  const arm64 = loaded(t, { [GNU]: '1.2.3' }, 'win32', 'arm64') as Record<string, string | undefined>
  t.deepEqual([arm64.reason, arm64.needed], ['missing', 'tokenbed-win32-arm64-msvc 1.2.3'])
})

test('macOS has one package for each processor', (t) => {
  t.is(loaded(t, { 'tokenbed-darwin-x64': '1.2.3' }, 'darwin', 'x64').path, 'tokenbed-darwin-x64')
  t.is(loaded(t, { 'tokenbed-darwin-arm64': '1.2.3' }, 'darwin', 'arm64').path, 'tokenbed-darwin-arm64')
  const found = loaded(t, {}, 'freebsd', 'x64') as Record<string, string | undefined>
  t.is(found.reason, 'unsupported')
})
