/** What is wrong with a page for people with a keyboard, a screen reader or a small screen. Judged inside the page: web/checks. */
import { stripTypeScriptTypes } from 'node:module'
import type { Page } from 'playwright-core'
import { readText } from './source-files.ts'

export async function faultsOf(page: Page): Promise<string[]> {
  const script = stripTypeScriptTypes(readText('web/checks/page-faults.ts')).replace('export function', 'function')
  return page.evaluate<string[]>(`(() => { ${script}; return pageFaults() })()`)
}

/** Presses Tab through the page: each thing that takes the focus, and whether one can see that it has. */
export async function reachedByTab(page: Page, presses: number): Promise<readonly { name: string; isSeen: boolean }[]> {
  const reached: { name: string; isSeen: boolean }[] = []
  for (let i = 0; i < presses; i++) {
    await page.keyboard.press('Tab')
    reached.push(
      await page.evaluate<{ name: string; isSeen: boolean }>(`(() => {
        const at = document.activeElement
        const label = at.labels?.[0]?.querySelector('span') ?? at.labels?.[0]
        const name = at.getAttribute('aria-label') ?? label?.textContent ?? at.textContent
        return { name: name.trim(), isSeen: at === document.body || getComputedStyle(at).outlineStyle !== 'none' }
      })()`),
    )
  }
  return reached
}
