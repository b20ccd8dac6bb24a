// Bundles a program with esbuild. tokenbed stays outside of the bundle, because it finds its binary and its
// vocabularies beside itself. Install it where the bundle runs: npm install tokenbed
import { build } from 'esbuild'

await build({
  entryPoints: ['main.js'],
  outfile: 'dist/main.js',
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['tokenbed'],
})
