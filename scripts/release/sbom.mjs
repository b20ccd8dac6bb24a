// Writes the list of what is in the packages, for programs to read: CycloneDX 1.5. release:pack writes it beside the
// packages.
//
// There is one list for all of them: the crates that are compiled into each platform's binary, and the packages whose
// code is in the command's files. It has no date and no random number, so the same packages give the same list.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bundle } from '../bundle.mjs'
import { cratesFor } from '../notices.mjs'
import { root } from '../process.mjs'
import { readJson } from './stage.mjs'

/** Writes the list into `folder`, and returns its path. */
export function writeSbom(rootPackage, platformPackages, folder) {
  const path = join(folder, `tokenbed-${rootPackage.version}.cdx.json`)
  writeFileSync(path, `${JSON.stringify(sbom(rootPackage, platformPackages), null, 2)}\n`)
  return path
}

/** The list for the packages that `pack` returned. */
export function sbom(rootPackage, platformPackages) {
  const { targets } = readJson(join(root, 'package.json')).napi
  const sums = checksums()
  const crates = new Map()
  const bundled = bundle({ write: false }).map(ofNpm)
  const platforms = platformPackages.map((one) => {
    const linked = cratesFor(targets.find((target) => platformOf(target) === one.platform)).map((crate) =>
      ofCrate(crate, sums),
    )
    for (const crate of linked) crates.set(crate['bom-ref'], crate)
    return { component: packed(one), dependsOn: linked.map((crate) => crate['bom-ref']).sort() }
  })
  const top = packed(rootPackage)
  const parts = platforms.map(({ component }) => component)
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: top },
    components: [...parts, ...bundled, ...[...crates.values()].sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1))],
    dependencies: [
      { ref: top['bom-ref'], dependsOn: [...parts, ...bundled].map((part) => part['bom-ref']) },
      ...platforms.map(({ component, dependsOn }) => ({ ref: component['bom-ref'], dependsOn })),
    ],
  }
}

/** What the list gets wrong or lacks, for the gates. */
export function sbomDrift(rootPackage, platformPackages) {
  const { components, metadata, dependencies } = sbom(rootPackage, platformPackages)
  const all = [metadata.component, ...components]
  const refs = new Set(all.map((one) => one['bom-ref']))
  const nameless = all.filter(
    ({ name, version, licenses, hashes }) => !name || !version || !licenses || !(hashes?.[0]?.content.length >= 64),
  )
  const unknown = dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]).filter((ref) => !refs.has(ref))
  // The notices are made separately from the same crates.
  const notices = readFileSync(join(root, 'THIRD_PARTY_NOTICES.md'), 'utf8')
  const strange = components.filter(
    ({ name, purl }) => !/^pkg:npm\/tokenbed-/.test(purl) && !notices.includes(`| ${name} |`),
  )
  return [
    ...nameless.map((one) => `without a version, a licence or a checksum: ${one['bom-ref']}`),
    ...unknown.map((ref) => `depended on, and not in the list: ${ref}`),
    ...strange.map(({ purl }) => `not in the notices: ${purl}`),
    ...(refs.size === all.length ? [] : ['something is in the list twice']),
  ]
}

function component(purl, { name, version, license, hashes, type = 'library' }) {
  // This is an old way to write OR.
  const expression = license.replaceAll('/', ' OR ')
  return {
    type,
    'bom-ref': purl,
    name,
    version,
    purl,
    licenses: [{ expression }],
    ...(hashes.length > 0 ? { hashes } : {}),
  }
}

function packed({ name, version, staged, tarball }) {
  const { license } = readJson(join(staged, 'package.json'))
  const content = createHash('sha512').update(readFileSync(tarball)).digest('hex')
  const properties = [{ name: 'tokenbed:file', value: basename(tarball) }]
  return {
    ...component(`pkg:npm/${name}@${version}`, { name, version, license, hashes: [{ alg: 'SHA-512', content }] }),
    properties,
  }
}

function ofCrate({ name, version, license }, sums) {
  const content = sums.get(`${name} ${version}`)
  return component(`pkg:cargo/${name}@${version}`, {
    name,
    version,
    license,
    hashes: content ? [{ alg: 'SHA-256', content }] : [],
  })
}

function ofNpm({ name, version, license }) {
  const { integrity = '' } = readJson(join(root, 'package-lock.json')).packages[`node_modules/${name}`] ?? {}
  const [alg, sum] = integrity.split('-')
  const hashes = alg === 'sha512' ? [{ alg: 'SHA-512', content: Buffer.from(sum, 'base64').toString('hex') }] : []
  return component(`pkg:npm/${name.replace('@', '%40')}@${version}`, { name, version, license, hashes })
}

/** The checksums in Cargo.lock, by name and version. */
function checksums() {
  const text = readFileSync(join(root, 'Cargo.lock'), 'utf8')
  const found = text.matchAll(/name = "(.+)"\nversion = "(.+)"\nsource = .*\nchecksum = "(.+)"/g)
  return new Map([...found].map(([, name, version, sum]) => [`${name} ${version}`, sum]))
}

/** The npm name of a Rust target. */
function platformOf(target) {
  const [processor, , system, library] = target.split('-')
  const arch = { x86_64: 'x64', aarch64: 'arm64' }[processor]
  return [{ windows: 'win32' }[system] ?? system, arch, library].filter(Boolean).join('-')
}
