import test from 'ava'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  arange,
  embedShards,
  FileError,
  full,
  loadModel,
  saveModel,
  saveNpy,
  saveSafetensors,
  TensorWriter,
  Trainer,
  zeros,
} from '../../index.js'
import { contents } from '../support/contents.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const MIB = 2 ** 20

/** A folder on a disk of 2 MiB, or the reason why there is none. */
function smallDisk(): string | { why: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { why: 'a small disk is mounted by root on Linux' }
  const folder = join(temporaryFolder(), 'disk')
  mkdirSync(folder)
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { encoding: 'utf8' })
  if (status !== 0) return { why: `mount: ${stderr}` }
  process.prependListener('exit', () => spawnSync('umount', ['-l', folder]))
  return folder
}

const disk = smallDisk()
const free = () => {
  const { bavail, bsize } = statfsSync(disk as string)
  return bavail * bsize
}

function onSmallDisk(
  title: string,
  run: (t: import('ava').ExecutionContext, disk: string) => void | Promise<void>,
): void {
  test.serial(title, (t) => {
    if (typeof disk === 'string') return run(t, disk)
    t.log(`${disk.why}: skipped`)
    t.pass()
  })
}

const big = zeros([3 * MIB], { dtype: 'uint8' })

for (const [name, save] of [
  ['x.safetensors', (path: string, x: typeof big) => saveSafetensors(path, { x })],
  ['x.npy', (path: string, x: typeof big) => saveNpy(path, x)],
] as const) {
  onSmallDisk(`saving to a full disk leaves the old file: ${name}`, (t, disk) => {
    const path = join(disk, name)
    const empty = free()
    isFull(
      t,
      refuses(t, () => save(path, big), 'FILE', path),
      path,
    )
    t.deepEqual(readdirSync(disk), [])
    t.is(free(), empty)
    save(path, arange(5))
    const before = readFileSync(path)
    isFull(
      t,
      refuses(t, () => save(path, big), 'FILE', path),
      path,
    )
    t.deepEqual(readdirSync(disk), [name])
    t.deepEqual(readFileSync(path), before)
    spawnSync('rm', [path])
  })
}

function isFull(t: import('ava').ExecutionContext, error: FileError, path: string | RegExp): void {
  if (typeof path === 'string') t.is(error.path, path)
  else t.regex(error.path, path)
  t.is((error.cause as NodeJS.ErrnoException).code, 'ENOSPC')
}

for (const ending of ['npy', 'safetensors']) {
  onSmallDisk(`rows that fill the disk end the writer and leave nothing: .${ending}`, (t, disk) => {
    const path = join(disk, `x.${ending}`)
    const empty = free()
    const writer = new TensorWriter(path, { x: { dtype: 'uint8', shape: [1000] } })
    const rows = zeros([100, 1000], { dtype: 'uint8' })
    const error = refuses(t, () => { for (;;) writer.write('x', rows) }, 'FILE', path) // prettier-ignore
    isFull(t, error, path)
    t.deepEqual(readdirSync(disk), [])
    t.is(free(), empty, 'its room is given back at once')
    refuses(t, () => writer.write('x', rows), 'USAGE', 'an earlier write failed')
    refuses(t, () => writer.close(), 'USAGE', 'an earlier write failed')
    writer.abort()
  })
}

onSmallDisk('a disk that is full only at close leaves nothing', (t, disk) => {
  const path = join(disk, 'x.safetensors')
  const empty = free()
  const writer = new TensorWriter(path, { x: { dtype: 'uint8', shape: [1000] }, y: { dtype: 'uint8', shape: [] } })
  // For a while, the data that waits beside the file is on the disk twice.
  writer.write('x', zeros([600, 1000], { dtype: 'uint8' })).write('y', zeros([MIB], { dtype: 'uint8' }))
  isFull(
    t,
    refuses(t, () => writer.close(), 'FILE', path),
    path,
  )
  t.deepEqual(readdirSync(disk), [])
  t.is(free(), empty)
  refuses(t, () => writer.close(), 'USAGE', 'an earlier write failed')
})

onSmallDisk('saving a model to a full disk leaves the old model', (t, disk) => {
  const folder = join(disk, 'model')
  const save = (rows: number) =>
    saveModel(folder, {
      objective: 'cbow',
      tensors: { 'token.weight': zeros([rows, 64]) },
      vocabulary: Array.from({ length: rows }, (_, i) => `word${i}`),
    })
  isFull(
    t,
    refuses(t, () => save(12_000), 'FILE', folder),
    /model\.safetensors\.[0-9a-f]{16}\.next$/,
  )
  t.deepEqual(readdirSync(folder), [])
  save(2000)
  const before = free()
  // The tensors fit and the words do not, or neither does.
  for (const [rows, room, part] of [
    [2001, 126 * 4096 + 8192, /vocab\.txt\.[0-9a-f]{16}\.next$/],
    [2001, 4096, /model\.safetensors\.[0-9a-f]{16}\.next$/],
  ] as const) {
    const error = refuses(t, () => fill(disk, before - room, () => save(rows)), 'FILE', folder)
    isFull(t, error, part)
    t.deepEqual(readdirSync(folder).sort(), ['model.json', 'model.safetensors', 'vocab.txt'])
    t.is(loadModel(folder).words!.length, 2000)
  }
  t.is(free(), before)
  spawnSync('rm', ['-r', folder])
})

/** Runs a function while this many bytes of the disk are taken. */
function fill(disk: string, bytes: number, run: () => void): void {
  const path = join(disk, 'filler')
  writeFileSync(path, Buffer.alloc(Math.max(0, Math.floor(bytes))))
  try {
    run()
  } finally {
    rmSync(path)
  }
}

onSmallDisk('a checkpoint that fills the disk leaves the old one, and the trainer can go on', async (t, disk) => {
  const path = join(disk, 'run.safetensors')
  const ids = Uint32Array.from({ length: 4000 }, (_, i) => (i * i) % 3001)
  const options = { objective: 'skip-gram', vocabSize: 3001, minCount: 1, epochs: 1 } as const
  await new Trainer(ids, { ...options, dim: 8 }).save(path)
  const before = readFileSync(path)
  const trainer = new Trainer(ids, { ...options, dim: 100 })
  const error = await t.throwsAsync(trainer.run({ checkpoint: { path, every: 0 } }), { instanceOf: FileError })
  isFull(t, error, path)
  t.deepEqual(readFileSync(path), before)
  t.deepEqual(readdirSync(disk), ['run.safetensors'])
  const { progress } = await trainer.run()
  t.is(progress.tokens, progress.totalTokens)
  spawnSync('rm', [path])
})

onSmallDisk('shards that fill the disk end the work, and what is there is completed later', async (t, disk) => {
  const texts = Array.from({ length: 60 }, (_, i) => 'x'.repeat(i % 7))
  const source = join(temporaryFolder(), 'texts.txt')
  writeFileSync(source, texts.map((text) => `${text}\n`).join(''))
  const dim = 4096
  const embedAsync = async (some: readonly string[]) => full([some.length, dim], some.length)
  const options = { embedder: { dim, embedAsync }, model: 'm', shardRows: 10 }
  const [clean, folder] = [join(temporaryFolder(), 'clean'), join(disk, 'shards')]
  await embedShards(clean, [source], options)
  const filler = join(disk, 'filler')
  writeFileSync(filler, Buffer.alloc(free() - 3.5 * 10 * 4 * dim))
  const error = await t.throwsAsync(embedShards(folder, [source], options), { instanceOf: FileError })
  isFull(t, error, /shard-00003\./)
  t.deepEqual(readdirSync(folder).sort(), ['plan.json', ...[0, 1, 2].map((i) => `shard-0000${i}.safetensors`)])
  rmSync(filler)
  await embedShards(folder, [source], { ...options, resume: true })
  t.deepEqual(contents(folder), contents(clean))
  rmSync(folder, { recursive: true })
})
