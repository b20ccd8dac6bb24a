// Runs in a process of its own: calls functions, and checks after each call that its outcome is allowed.
//
//   node --expose-gc run.js random SEED FROM TO SECONDS FOLDER
//   node --expose-gc run.js each PART PARTS FOLDER

import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as tb from '../../index.js'
import { HOSTILE, UserError, type Hostile } from './hostile.js'
import { random, type Random } from './random.js'
import { calls, differences, type Call, type Slot } from './surface.js'
import { World } from './world.js'

/** The time that a call may take. */
const MOST_MS = 5000

/** An outcome that must not happen. It ends the process. */
class Finding extends Error {}

/**
 * Errors that are not as they should be, reported once for each place that throws them. The run goes on, because they
 * do no harm.
 */
const untyped = new Map<string, string>()

/** The current call, as the report names it. */
let current = ''

const CODES = new Set(['TOKEN_INDEX', 'SHAPE', 'DTYPE', 'USAGE', 'FORMAT', 'FILE', 'ABORTED'])

function judge(error: unknown): void {
  if (error instanceof UserError) return
  // V8's wording when a class is called that was passed as a function.
  if (error instanceof TypeError && error.message.startsWith('Class constructor Some cannot be invoked')) return
  if (error instanceof tb.TokenbedError && CODES.has(error.code)) return
  const text =
    error instanceof Error ? `${String((error as tb.TokenbedError).code)} ${error.stack}` : `thrown: ${inspect(error)}`
  const key = text.split('\n').slice(1, 4).join() || text
  if (!untyped.has(key)) untyped.set(key, `${current}\n${text.split('\n').slice(0, 6).join('\n')}`)
}

/** Tells the parent what is done now. The parent sees it even if this process dies. */
class Diary {
  readonly #file: number

  constructor(folder: string) {
    this.#file = openSync(join(folder, 'diary'), 'w')
  }

  note(step: number, text: string): void {
    current = `step ${step}: ${text}`
    writeSync(this.#file, `${step} ${text}`.slice(0, 500).padEnd(500), 0)
  }
}

/** Memory that nothing may change: elements, and the bytes around the arguments of calls. */
class Canaries {
  readonly #tensors = [
    tb.full([67], 0.25),
    tb.full([3, 5], 7, { dtype: 'int32' }),
    new tb.Embedding(5, 3).weight.detach(),
  ]
  readonly #block = new Uint8Array(256).fill(0xa5)
  readonly #expected = this.#bytes()

  /** Ids in the middle of bytes that are watched. */
  readonly ids = new Int32Array(this.#block.buffer, 128, 4).fill(1)

  constructor() {
    this.#expected = this.#bytes()
  }

  #bytes(): string {
    const parts = this.#tensors.map(({ data }) =>
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    )
    return `${parts.join()} ${Buffer.from(this.#block).toString('hex')}`
  }

  check(): void {
    if (this.#bytes() !== this.#expected) throw new Finding('bytes changed that no call was given')
  }
}

/** Runs a call to its end, including its promise or its iteration. */
async function carryOut(call: Call, receiver: unknown, args: unknown[], world: World): Promise<void> {
  const start = performance.now()
  try {
    let result = call.run(receiver, args)
    if (result instanceof Promise) result = await inTime(result)
    const iterator = iteratorOf(result)
    if (iterator) for (let i = 0; i < 3 && !(await inTime(Promise.resolve(iterator.next()))).done; i++);
    world.keep(result)
  } catch (error) {
    judge(error)
  }
  const took = performance.now() - start
  if (took > MOST_MS) throw new Finding(`the call took ${(took / 1e3).toFixed(1)} s`)
}

function iteratorOf(result: unknown): AsyncIterator<unknown> | Iterator<unknown> | null {
  if (typeof result !== 'object' || result === null) return null
  if (result instanceof tb.DataLoader) return result[Symbol.iterator]()
  return Symbol.asyncIterator in result ? (result as AsyncIterable<unknown>)[Symbol.asyncIterator]() : null
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>(
    (_, reject) => (timer = setTimeout(() => reject(new Finding('the promise was not settled')), MOST_MS)),
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A place where a hostile value may stand: an argument, a named option or an element of a list. */
type Path = readonly (string | number)[]

function pathsOf(slots: readonly Slot[], into: Path = []): Path[] {
  return slots.flatMap((slot, i) => pathsIn(slot, [...into, i]))
}

function pathsIn(slot: Slot, path: Path): Path[] {
  if (typeof slot === 'string') return [path]
  if (Array.isArray(slot)) return [path, ...pathsIn((slot as readonly [Slot])[0], [...path, 0])]
  return [path, ...Object.entries(slot).flatMap(([name, of]) => pathsIn(of, [...path, name]))]
}

/** Puts a value at a path, or a getter that performs the value's action before it returns it. */
function put(args: unknown[], path: Path, value: unknown, before?: () => void): void {
  let at = args as unknown as Record<string | number, unknown>
  for (const key of path.slice(0, -1)) {
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {}
    at = at[key] as Record<string | number, unknown>
  }
  const key = path[path.length - 1]
  const get = () => {
    before?.()
    return value
  }
  if (before && path.length > 1) Object.defineProperty(at, key, { get, enumerable: true, configurable: true })
  else at[key] = value
}

const show = (call: Call, path: Path, value: Hostile | null) =>
  `${call.name}${value ? ` with ${value.name} at ${path.join('.')}` : ''}`

/** Calls that write files under any name or run for a long time; they are made less often. */
const RARE = new Set(['selfTest', 'Trainer#run', 'Trainer.resume'])

async function randomRun(seed: number, from: number, to: number, seconds: number, folder: string): Promise<void> {
  const world = new World(folder)
  const diary = new Diary(folder)
  await world.prepare(random(seed, -1))
  const canaries = new Canaries()
  const before = tb.memoryUsage()
  const done = await randomSteps(seed, from, to, seconds, world, diary, canaries)
  world.clear()
  await checkMemory(before)
  process.stdout.write(JSON.stringify({ steps: done }))
}

async function randomSteps(
  seed: number,
  from: number,
  to: number,
  seconds: number,
  world: World,
  diary: Diary,
  canaries: Canaries,
): Promise<number> {
  const all = calls()
  const end = performance.now() + seconds * 1e3
  let step = from
  for (; step < to && performance.now() < end; step++) {
    const draws = random(seed, step)
    world.random = draws
    const call = draws.pick(all)
    if (RARE.has(call.name) && !draws.chance(0.1)) continue
    try {
      await randomStep(call, draws, world, canaries, (text) => diary.note(step, text))
    } catch (error) {
      // A good value could not be made, because it needs objects that were disposed by now.
      if (error instanceof Finding) throw error
      judge(error)
    }
    if (step % 50 === 0) canaries.check()
    // Lets finalizers run, and promises settle that nobody awaits.
    if (step % 20 === 0) await new Promise(setImmediate)
    if (step % 500 === 0) globalThis.gc!()
  }
  canaries.check()
  return step - from
}

async function randomStep(
  call: Call,
  draws: Random,
  world: World,
  canaries: Canaries,
  note: (text: string) => void,
): Promise<void> {
  const receiver =
    call.receiver === null
      ? undefined
      : draws.chance(0.02)
        ? draws.pick(HOSTILE).make(() => world.mischief())
        : world.one(call.receiver)
  if (call.receiver !== null && (receiver === undefined || receiver === null)) return
  const isOfUs = call.receiver === null || isOf(receiver, call.receiver)
  const args = call.slots.map((slot) => world.value(slot))
  if (draws.chance(0.1)) args.length = draws.below(args.length + 1)
  const paths = pathsOf(call.slots)
  let path: Path = []
  let hostile: Hostile | null = null
  if (paths.length > 0 && draws.chance(0.7)) {
    path = draws.pick(paths)
    hostile = draws.pick(HOSTILE)
    note(show(call, path, hostile))
    if (draws.chance(0.3)) put(args, path, get(args, path), () => world.mischief())
    else
      put(
        args,
        path,
        hostile.make(() => world.mischief()),
      )
  } else if (paths.length > 0 && draws.chance(0.05)) args[0] = canaries.ids
  note(`${show(call, path, hostile)}${isOfUs ? '' : ', on something else'}`)
  // Calls a method of ours on another object, as `Reflect.apply` does.
  if (!isOfUs) return borrowed(call, receiver, args, world)
  await carryOut(call, receiver, args, world)
}

function isOf(value: unknown, kind: string): boolean {
  try {
    return value instanceof (tb as unknown as Record<string, new () => object>)[kind]
  } catch {
    // A proxy that does not reveal its class.
    return false
  }
}

function get(args: unknown[], path: Path): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    args,
  )
}

async function borrowed(call: Call, receiver: unknown, args: unknown[], world: World): Promise<void> {
  const member = call.name.split('#')[1]
  const symbol = /^\[Symbol\.(dispose|iterator|asyncIterator)\]$/.exec(member)?.[1] as 'iterator' | undefined
  const key = symbol ? Symbol[symbol] : member.replace(/=$/, '')
  let prototype = (tb as unknown as Record<string, { prototype: object }>)[call.receiver!].prototype
  while (!Object.hasOwn(prototype, key)) prototype = Object.getPrototypeOf(prototype) as object
  const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, key)!
  const run = (value ?? (member.endsWith('=') ? set : get)) as (...args: unknown[]) => unknown
  try {
    world.keep(await Reflect.apply(run, receiver, args))
  } catch (error) {
    judge(error)
  }
}

/** Tries every hostile value at every argument of every function, once. */
async function eachRun(part: number, parts: number, folder: string): Promise<void> {
  const world = new World(folder)
  const diary = new Diary(folder)
  await world.prepare(random(1, -1))
  const canaries = new Canaries()
  const before = tb.memoryUsage()
  const count = await eachOf(
    calls().filter((_, i) => i % parts === part),
    world,
    diary,
    canaries,
  )
  world.clear()
  await checkMemory(before)
  process.stdout.write(JSON.stringify({ calls: count }))
}

async function eachCall(call: Call, path: Path, hostile: Hostile, world: World): Promise<void> {
  try {
    const args = call.slots.map((slot) => world.value(slot))
    put(
      args,
      path,
      hostile.make(() => world.mischief()),
    )
    await carryOut(
      call,
      call.receiver === null ? undefined : world.one(call.receiver, RARE.has(call.name)),
      args,
      world,
    )
  } catch (error) {
    if (error instanceof Finding) throw error
    judge(error)
  }
}

async function eachOf(mine: readonly Call[], world: World, diary: Diary, canaries: Canaries): Promise<number> {
  let count = 0
  for (const call of mine) {
    const paths = pathsOf(call.slots)
    for (const path of paths) {
      for (const hostile of HOSTILE) {
        world.random = random(7, count++)
        diary.note(count, show(call, path, hostile))
        await eachCall(call, path, hostile, world)
        if (count % 2000 === 0) globalThis.gc!()
      }
      canaries.check()
      await new Promise(setImmediate)
    }
    if (call.receiver === null) continue
    for (const hostile of HOSTILE) {
      world.random = random(7, count++)
      diary.note(count, `${call.name} on ${hostile.name}`)
      await borrowed(
        call,
        hostile.make(() => undefined),
        [],
        world,
      )
    }
  }
  return count
}

/** Checks that objects are collected when nobody holds them. */
async function checkMemory(before: ReturnType<typeof tb.memoryUsage>): Promise<void> {
  for (let round = 0; round < 40; round++) {
    globalThis.gc!()
    await new Promise((resolve) => setTimeout(resolve, 10))
    const now = tb.memoryUsage()
    if (now.tables <= before.tables && now.mapped <= before.mapped) return
  }
  const now = tb.memoryUsage()
  throw new Finding(`memory stays: ${inspect(before)} at first, ${inspect(now)} when nothing is held any more`)
}

async function main(): Promise<void> {
  const [mode, ...rest] = process.argv.slice(2)
  const undescribed = differences()
  if (undescribed.length > 0) throw new Finding(undescribed.join('\n'))
  // Rejections that nobody awaited. Those of our code must be typed, too.
  process.on('unhandledRejection', (error) => {
    try {
      judge(error)
    } catch (finding) {
      ended(finding)
    }
  })
  process.on('warning', () => undefined)
  if (mode === 'each') await eachRun(Number(rest[0]), Number(rest[1]), rest[2])
  else await randomRun(Number(rest[0]), Number(rest[1]), Number(rest[2]), Number(rest[3]), rest[4])
  if (untyped.size > 0)
    throw new Finding(
      `${untyped.size} errors that are not the package's own:\n\n${Array.from(untyped.values()).join('\n\n')}`,
    )
}

function ended(error: unknown): never {
  process.stderr.write(`${error instanceof Finding ? error.message : `in the fuzzer itself: ${inspect(error)}`}\n`)
  process.exit(3)
}

main().then(() => process.exit(0), ended)
