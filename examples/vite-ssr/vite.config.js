import { defineConfig } from 'vite'

// Everything but tokenbed goes into the server's bundle, because tokenbed finds its binary and its vocabularies
// beside itself. Install it where the server runs: npm install tokenbed
export default defineConfig({
  ssr: { noExternal: true, external: ['tokenbed'] },
  optimizeDeps: { exclude: ['tokenbed'] },
})
