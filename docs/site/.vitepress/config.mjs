// The site: npm run site writes its pages to docs/site/pages, and VitePress makes docs/site/dist of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { slug } from '../../../scripts/site/slug.mjs'

const pages = join(import.meta.dirname, '../pages')
const { sidebar, nav } = JSON.parse(readFileSync(join(pages, 'navigation.json'), 'utf8'))

/** A picture stands in the page itself, so that it has the colours of the page, light or dark. */
function inlinePictures(markdown) {
  const image = markdown.renderer.rules.image
  markdown.renderer.rules.image = (tokens, index, ...rest) => {
    const [, name] = /pictures\/([\w-]+\.svg)$/.exec(tokens[index].attrGet('src')) ?? []
    if (name === undefined) return image(tokens, index, ...rest)
    const drawing = readFileSync(join(pages, 'pictures', name), 'utf8').replace(/<style>[^]*?<\/style>/, '')
    return `<span class="picture" v-pre>${drawing}</span>`
  }
}

export default defineConfig({
  title: 'tokenbed',
  description: 'Token embeddings for Node',
  srcDir: 'pages',
  outDir: 'dist',
  // The folder of the server in which the site lies.
  base: process.env.SITE_BASE ?? '/',
  cleanUrls: false,
  metaChunk: true,
  lastUpdated: false,
  markdown: {
    html: false,
    anchor: { slugify: slug },
    headers: { slugify: slug },
    toc: { slugify: slug },
    theme: { light: 'github-light', dark: 'github-dark' },
    config: inlinePictures,
  },
  themeConfig: { nav, sidebar, outline: [2, 3], search: { provider: 'local' } },
})
