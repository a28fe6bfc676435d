/** The console as a page: who gets in, what it may do, how it is reached and read; each view's own work is in the files beside this one. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { useConsole } from '../support/console-page.ts'
import { faultsOf, reachedByTab } from '../support/page-faults.ts'

const VIEWS = ['Playground', 'Models', 'Keys', 'Budgets', 'Projects', 'Usage', 'Requests', 'Batches'] as const

const consoleAt = useConsole()

describe('the owner’s key', () => {
  test('is gone from the address at once, and stays in the tab', async () => {
    const { page, front } = consoleAt
    await consoleAt.open()
    await page.getByRole('button', { name: 'Ask', exact: true }).waitFor()
    expect(page.url()).toBe(`${front.url}/console/`)
    await page.reload()
    await page.getByRole('button', { name: 'Ask', exact: true }).waitFor()
  })

  test('is forgotten with every other key when the page is locked', async () => {
    const { page } = consoleAt
    await consoleAt.open()
    await page.getByLabel('API key').fill('ck_another')
    await page.getByLabel('API key').blur()
    await page.getByRole('button', { name: 'Lock' }).click()
    await page.getByLabel('Admin key').waitFor()
    expect(await page.evaluate<number>('sessionStorage.length')).toBe(0)
    await page.reload()
    await page.getByLabel('Admin key').waitFor()
  })

  test('is asked for where the address did not bring it; a wrong one is refused with what to do', async () => {
    const { page, front } = consoleAt
    await page.goto(`${front.url}/console/`)
    expect(await page.getByRole('navigation').count()).toBe(0)
    await page.getByLabel('Admin key').fill('wrong')
    await page.getByRole('button', { name: 'Open' }).click()
    const alert = page.getByRole('alert')
    await alert.getByText('The node does not take this key.').waitFor()
    expect(await alert.innerText()).toContain('cocoon console')
    expect(await page.evaluate<number>('sessionStorage.length')).toBe(0)
  })
})

describe('the page', () => {
  test('comes with a policy that allows its own files and this node, and nothing else', async () => {
    const reply = await fetch(`${consoleAt.front.url}/console/`)
    const policy = reply.headers.get('content-security-policy')?.split('; ') ?? []
    expect(policy).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
    const html = await reply.text()
    expect(html).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=/)
  })

  test('is small: what the browser loads stays below 100 kB', async () => {
    let bytes = 0
    for (const name of ['', 'console.js', 'console.css']) {
      const reply = await fetch(`${consoleAt.front.url}/console/${name}`)
      expect(reply.status).toBe(200)
      bytes += (await reply.arrayBuffer()).byteLength
    }
    expect(bytes).toBeLessThan(100_000)
  })

  test('has nothing but its own files', async () => {
    for (const name of ['vite.config.ts', '..%2fpackage.json', 'main.tsx', 'index.html.map'])
      expect((await fetch(`${consoleAt.front.url}/console/${name}`)).status).toBe(404)
  })

  test('goes back and forth between views, and tells which one is shown', async () => {
    const { page } = consoleAt
    await consoleAt.open()
    await consoleAt.view('Keys')
    expect(await page.title()).toBe('Cocoon · Keys')
    expect(await page.locator('nav [aria-current=page]').innerText()).toBe('Keys')
    expect(await page.evaluate<string>('document.activeElement.textContent')).toBe('Keys')
    await consoleAt.view('Usage')
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor()
  })

  test('says when the node has gone, with what to do, and when it is back', async () => {
    const { page } = consoleAt
    await page.clock.install()
    await consoleAt.open('Budgets')
    await page.getByText('Ready', { exact: true }).waitFor()
    await page.context().setOffline(true)
    await page.clock.runFor(11_000)
    await page.getByText('The node does not answer', { exact: true }).waitFor()
    await page.getByRole('alert').getByText('Is the client still running?').waitFor()
    await page.context().setOffline(false)
    await page.clock.runFor(11_000)
    await page.getByText('Ready', { exact: true }).waitFor()
    await page.getByRole('alert').waitFor({ state: 'detached' })
  })

  test('is dark where the machine is, and as it was chosen where somebody chose', async () => {
    const { page } = consoleAt
    const brightness = (): Promise<number> =>
      page.evaluate<number>(`Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])`)
    await page.emulateMedia({ colorScheme: 'dark' })
    await consoleAt.open()
    expect(await brightness()).toBeLessThan(60)
    await page.getByLabel('Theme').selectOption('Light')
    expect(await brightness()).toBeGreaterThan(200)
    await page.reload()
    await page.getByLabel('Theme').waitFor()
    expect(await brightness()).toBeGreaterThan(200)
    await page.getByLabel('Theme').selectOption('As the machine')
    expect(await brightness()).toBeLessThan(60)
  })

  test('is worked with the keyboard alone, and one sees where one is', async () => {
    const { page } = consoleAt
    await consoleAt.open()
    await page.getByRole('option', { name: /test-model/ }).waitFor({ state: 'attached' })
    const reached = await reachedByTab(page, 20)
    const names = reached.map(({ name }) => name)
    for (const name of ['Skip to the content', 'Theme', 'Requests', 'Question', 'Model', 'API key', 'More parameters'])
      expect(names).toContain(name)
    expect(reached.filter(({ isSeen }) => !isSeen)).toEqual([])
    await page.getByLabel('Question').focus()
    await page.keyboard.type('Hi')
    await page.keyboard.press('Control+Enter')
    await page.getByRole('group', { name: 'Answer' }).getByText('Hello there!').waitFor()
  })
})

describe.each([
  { scheme: 'light', width: 1280 },
  { scheme: 'dark', width: 1280 },
  { scheme: 'light', width: 360 },
  { scheme: 'dark', width: 360 },
] as const)('in $scheme, $width px wide', ({ scheme, width }) => {
  test('every view has names, contrast, order and room for everybody', async () => {
    const { page, front } = consoleAt
    await (await consoleAt.ask()).text()
    await (await consoleAt.ask({ model: 'none-such' })).text()
    await page.setViewportSize({ width, height: 800 })
    await page.emulateMedia({ colorScheme: scheme })
    await page.goto(`${front.url}/console/`)
    await page.getByLabel('Admin key').waitFor()
    expect(await faultsOf(page)).toEqual([])
    await consoleAt.open()
    await page.getByLabel('Question').fill('Hi')
    await page.getByText(/^Can cost at most/).waitFor()
    await page.getByRole('button', { name: 'Ask', exact: true }).click()
    await page.getByText('Answered.').waitFor()
    for (const name of VIEWS) {
      await consoleAt.view(name)
      if (name === 'Requests')
        await page
          .getByRole('button', { name: /^Request / })
          .first()
          .click()
      else if (name === 'Usage') await page.getByRole('figure').waitFor()
      else if (name === 'Models') await page.getByRole('table').waitFor()
      else if (name === 'Projects') await page.getByText('Add a member').waitFor()
      else await page.locator('main summary:visible').first().waitFor()
      for (const summary of await page.locator('main summary:visible').all()) await summary.click()
      expect.soft(await faultsOf(page), name).toEqual([])
      await takePicture(`${name}-${scheme}-${width}`)
    }
  })
})

// For whoever looks at the page after changing it: COCOON_SCREENSHOTS names a folder.
const shots = process.env['COCOON_SCREENSHOTS'] ?? ''
async function takePicture(name: string): Promise<void> {
  if (shots === '') return
  writeFileSync(join(shots, `console-${name.toLowerCase()}.png`), await consoleAt.page.screenshot({ fullPage: true }))
}
