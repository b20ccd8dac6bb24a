// tokenbed in a context of `vm`, as test runners load it: its modules are compiled there, and Node's own come from
// outside.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { compileFunction, createContext, runInContext, type Context } from 'node:vm'
import type * as Tokenbed from '../../index.js'
import { root } from './golden.js'

const outside = createRequire(__filename)

export interface Realm {
  readonly tokenbed: typeof Tokenbed
  /** Evaluates an expression in the realm, where `tokenbed` is defined. */
  evaluate(expression: string): any
}

/** A realm with the language, `process` and `Buffer`, which is no more than any runner provides. */
export function loadedInRealm(globals: object = {}): Realm {
  const context = createContext({ process, Buffer, ...globals })
  const load = loader(context)
  const tokenbed = load(resolve(root, 'dist/index.js')) as typeof Tokenbed
  context.tokenbed = tokenbed
  return { tokenbed, evaluate: (expression) => runInContext(`(${expression})`, context) }
}

function loader(context: Context): (path: string) => unknown {
  const loaded = new Map<string, { exports: unknown }>()
  const load = (path: string): unknown => {
    const known = loaded.get(path)
    if (known) return known.exports
    const module = { exports: {} as unknown }
    loaded.set(path, module)
    const run = compileFunction(
      readFileSync(path, 'utf8'),
      ['exports', 'require', 'module', '__filename', '__dirname'],
      { filename: path, parsingContext: context },
    )
    const require = (name: string) => (name.startsWith('.') ? load(resolve(dirname(path), name)) : outside(name))
    run(module.exports, require, module, path, dirname(path))
    return module.exports
  }
  return load
}

/** Evaluates an expression in a realm that has nothing but the language. */
export function foreign(expression: string): any {
  return runInContext(`(${expression})`, createContext({}))
}
