import { defineConfig } from 'vitest/config'

// suite.cjs is loaded without being transformed, so it uses `test` and `expect` as globals.
export default defineConfig({
  test: { include: ['*.test.mjs'], globals: true, server: { deps: { external: [/suite\.cjs$/] } } },
})
