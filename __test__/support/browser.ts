// A real browser: Chromium where it is installed.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'

/** Where Chromium is: TOKENBED_CHROMIUM, or the first of its names that is in the path; null for nowhere. */
export function findBrowser(): string | null {
  const { TOKENBED_CHROMIUM: said, PATH = '' } = process.env
  if (said !== undefined && said !== '') return said
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const places = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  return places.find((place) => existsSync(place)) ?? null
}

/** The variables of the browser: a sanitizer that this process runs under is not its own. */
const { LD_PRELOAD, ...ENVIRONMENT } = process.env

/** Starts it without a window; pictures are drawn by the processor, since test machines have nothing else. */
export const startBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    env: ENVIRONMENT,
    args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
    timeout: 100_000,
  })
