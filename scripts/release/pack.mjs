// Packs and checks what is published: npm run release:pack [-- --all]
//
// The binaries are those in release/binaries/, where release:linux and the workflow put them. The tarballs go to
// release/packages/, and the list of their content (sbom.mjs) to release/. Without --all, platforms without a binary
// are skipped and listed. TOKENBED_BUILT=1 uses dist/ as it is.
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from '../build.mjs'
import { Failure, root, runIfMain } from '../process.mjs'
import { gates } from './gates.mjs'
import { writeSbom } from './sbom.mjs'
import { binaryName, pack, platforms, stagePlatform, stageRoot } from './stage.mjs'

export const release = join(root, 'release')
export const binaries = join(release, 'binaries')
export const packages = join(release, 'packages')

/** Stages and packs the root's package and those of these platforms: `[{ platform, binary }]`. */
export function packAll(found, folder, destination) {
  const staged = [stageRoot(folder), ...found.map(({ platform, binary }) => stagePlatform(platform, binary, folder))]
  const [rootPackage, ...others] = pack(staged, destination).map((one, i) => ({
    ...one,
    staged: staged[i],
    platform: found[i - 1]?.platform,
  }))
  return { rootPackage, platformPackages: others }
}

/** Prints the results of the gates, and counts them. */
export function showGates(all) {
  for (const { name, offenders } of all) {
    console.log(`${offenders.length === 0 ? 'ok  ' : 'FAIL'} ${name}`)
    for (const offender of offenders) console.log(`       ${offender}`)
  }
  const failed = all.filter(({ offenders }) => offenders.length > 0).length
  return { passed: all.length - failed, failed }
}

function main() {
  if (process.env.TOKENBED_BUILT !== '1') build()
  const wanted = platforms().map((platform) => ({ platform, binary: join(binaries, binaryName(platform)) }))
  const found = wanted.filter(({ binary }) => existsSync(binary))
  const lacking = wanted.filter((one) => !found.includes(one)).map(({ platform }) => platform)
  if (found.length === 0 || (process.argv.includes('--all') && lacking.length > 0)) {
    throw new Failure(
      `no binary in release/binaries/ for ${lacking.join(', ')}: npm run release:linux builds those that can be built here`,
    )
  }
  const stage = join(release, 'stage')
  for (const folder of [stage, packages]) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
  }
  const { rootPackage, platformPackages } = packAll(found, stage, packages)
  const { failed } = showGates(gates(rootPackage, platformPackages, { isPortable: true }))
  console.log(`release/${basename(writeSbom(rootPackage, platformPackages, release))}: what is in them`)
  for (const { filename, size, unpackedSize } of [rootPackage, ...platformPackages]) {
    console.log(`release/packages/${filename}: ${megabytes(size)} MB, ${megabytes(unpackedSize)} MB installed`)
  }
  if (lacking.length > 0) console.log(`without a binary: ${lacking.join(', ')}`)
  if (failed > 0) throw new Failure(`${failed} gates failed`)
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(2)

await runIfMain(import.meta, main)
