import { defineConfig } from 'vitest/config'

// suite.cjs is loaded as it is, and so sees `test` and `expect` as globals.
export default defineConfig({
  test: { include: ['*.test.mjs'], globals: true, server: { deps: { external: [/suite\.cjs$/] } } },
})
