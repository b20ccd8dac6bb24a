// A program bundled with esbuild. tokenbed stays outside: its binary and its vocabularies are files that it finds beside
// itself, so it is installed where the bundle runs: npm install tokenbed
import { build } from 'esbuild'

await build({
  entryPoints: ['main.js'],
  outfile: 'dist/main.js',
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['tokenbed'],
})
