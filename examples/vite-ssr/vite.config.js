import { defineConfig } from 'vite'

// Everything goes into the server's bundle but tokenbed: its binary and its vocabularies are files that it finds beside
// itself, so it is installed where the server runs: npm install tokenbed
export default defineConfig({
  ssr: { noExternal: true, external: ['tokenbed'] },
  optimizeDeps: { exclude: ['tokenbed'] },
})
