// What crosses between TypeScript and Rust.
import { projectFiles, read } from './files.mjs'

/** Exports take so many arguments; more are an object (`#[napi(object)]`) or a handle that is made once. */
const MOST_ARGUMENTS = 6
/**
 * Hot exports that may take more: a property of an object costs 80 ns where an argument costs 5 to 35 (Node 20, one
 * core of a Zen 4; src/node/borrowed_word.rs has the numbers), which is much of what short calls take:
 * - input_layer_forward: ids, positions and segments would be 5, 400 ns, of the 900 ns of a lookup of 32 ids.
 * - matmul_elements: sizes and two operands as objects were measured: 5300 ns for (2, 2) by (2, 2), and 4000 ns flat.
 * - rotary_forward: heads and positions would be 7, 560 ns, of the 1100 ns of a token's rotation while a model decodes.
 */
const EXCEPTIONS = new Set(['input_layer_forward', 'matmul_elements', 'rotary_forward'])

/** The functions that Node calls, and how many arguments it hands over. */
function exportedFunctions() {
  const functions = /#\[napi\b(?:(?!\bfn\b)[\s\S])*?\bfn\s+(\w+)\s*(?:<[^>]*>)?\(([\s\S]*?)\)\s*(?:->[^{]*)?\{/g
  return projectFiles()
    .filter((path) => path.startsWith('src/') && path.endsWith('.rs'))
    .flatMap((path) =>
      [
        ...read(path)
          .replace(/\/\/.*/g, '')
          .matchAll(functions),
      ].map(([, name, list]) => ({ path, name, count: argumentsOf(list).length })),
    )
}

/** The arguments of a list, without the environment, which napi adds by itself. */
function argumentsOf(list) {
  const flat = list
    .replace(/#\[[^\]]*\]/g, '')
    .replace(/<[^<>]*>/g, '')
    .replace(/<[^<>]*>/g, '')
    .replace(/\([^()]*\)/g, '')
  return flat.split(',').filter((argument) => /:/.test(argument) && !/:\s*Env\b/.test(argument))
}

function longLists() {
  return exportedFunctions()
    .filter(({ name, count }) => count > MOST_ARGUMENTS && !EXCEPTIONS.has(name))
    .map(({ path, name, count }) => `${path}: ${name} takes ${count} arguments`)
}

function needlessExceptions() {
  const long = new Set(
    exportedFunctions()
      .filter(({ count }) => count > MOST_ARGUMENTS)
      .map(({ name }) => name),
  )
  return [...EXCEPTIONS].filter((name) => !long.has(name)).map((name) => `${name} is no export with so many arguments`)
}

/** Objects of the native side whose type TypeScript does not have: a published declaration would not compile. */
function untypedObjects() {
  const header = read('src/native-header.txt')
  const sources = projectFiles().filter((path) => path.startsWith('src/') && path.endsWith('.rs'))
  const handed = sources.flatMap((path) =>
    [...read(path).matchAll(/\bExternal<(\w{2,})>/g)].map(([, name]) => ({ path, name })),
  )
  return handed
    .filter(({ name }) => name !== 'Self' && !header.includes(`export interface ${name} {`))
    .map(({ path, name }) => `${path}: ${name} is not declared in src/native-header.txt`)
}

export const borderRules = [
  { name: `exports of the native side take at most ${MOST_ARGUMENTS} arguments`, offenders: longLists },
  { name: 'exceptions to that are needed', offenders: needlessExceptions },
  { name: 'objects of the native side have types', offenders: untypedObjects },
]
