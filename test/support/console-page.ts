/** The console in a browser, on a network with a scripted engine. Whatever the page does that it must not fails the test. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import { openBrowser } from './chromium.ts'
import { ADMIN_KEY, type GatewayUnderTest, startGateway } from './gateway.ts'
import { type NetworkOptions, startNetwork, type TestNetwork } from './network.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from './scripted-engine.ts'

export interface ConsoleUnderTest {
  readonly engine: ScriptedEngine
  readonly network: TestNetwork
  readonly front: GatewayUnderTest
  readonly browser: Browser
  /** A new one for each test. */
  readonly page: Page
  /** Opens the page as `cocoon console` says it, at this view. @param key default: the owner's */
  open(view?: string, key?: string): Promise<void>
  /** Goes to another view as a person does. */
  view(name: string): Promise<void>
  /** What the network answers to a question that no browser asked. */
  ask(body?: Readonly<Record<string, unknown>>, key?: string): Promise<Response>
}

/**
 * Registers what starts and ends it around the tests of the calling file.
 * @param described what the engine's list of models says of each besides its name
 */
export function useConsole(options: Partial<NetworkOptions> = {}, described: object = {}): ConsoleUnderTest {
  // A browser on a machine that does much else takes its time; nothing here is measured.
  vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
  const parts: { engine?: ScriptedEngine; network?: TestNetwork; front?: GatewayUnderTest } = {}
  const browsing: { browser?: Browser; page?: Page } = {}
  let failures: string[] = []
  const there = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('only inside of tests')
    return part
  }

  beforeAll(async () => {
    parts.engine = await startScriptedEngine(answerChat(), ['test-model'], described)
    parts.network = await startNetwork({ engineUrl: parts.engine.url, ...options })
    parts.front = await startGateway(parts.network)
    browsing.browser = await openBrowser()
  })
  afterAll(async () => {
    await browsing.browser?.close()
    await parts.front?.close(async () => parts.network?.close())
    await parts.engine?.close()
  })
  beforeEach(async () => {
    const { url } = there(parts.front)
    there(parts.engine).script = answerChat()
    failures = []
    const page = await there(browsing.browser).newPage({ reducedMotion: 'reduce' })
    browsing.page = page
    page.on('request', (request) => {
      if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(`${url}/`))
        failures.push(`asked for ${request.url()}`)
    })
    page.on('pageerror', (error) => failures.push(error.message))
    page.on('console', (message) => {
      // A refusal is an answer that the page shows; everything else is a fault of the page, breaches of its policy too.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        failures.push(message.text())
    })
  })
  afterEach(async () => {
    await browsing.page?.close()
    if (failures.length > 0) throw new Error(failures.join('; '))
  })

  const page = (): Page => there(browsing.page)
  return {
    get engine() {
      return there(parts.engine)
    },
    get network() {
      return there(parts.network)
    },
    get front() {
      return there(parts.front)
    },
    get browser() {
      return there(browsing.browser)
    },
    get page() {
      return page()
    },
    async open(view, key = ADMIN_KEY) {
      await page().goto(`${there(parts.front).url}/console#${key}`)
      await page().getByRole('navigation').waitFor()
      if (view !== undefined) await this.view(view)
    },
    async view(name) {
      await page().getByRole('navigation').getByRole('link', { name, exact: true }).click()
      await page().getByRole('heading', { level: 1, name }).waitFor()
    },
    ask: (body = {}, key = ADMIN_KEY) =>
      fetch(`${there(parts.front).url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'test-model',
          messages: [{ role: 'user', content: 'Hi' }],
          max_tokens: 100,
          ...body,
        }),
      }),
  }
}

/** `expect` for what comes true a moment later, however busy the machine is. */
export const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 60_000 })
