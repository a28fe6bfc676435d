/** The console in a real browser, on a network with a scripted engine: each view does what it says, and nothing leaves the node. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openBrowser } from '../support/chromium.ts'
import { ADMIN_KEY, type GatewayUnderTest, startGateway } from '../support/gateway.ts'
import { startNetwork, type TestNetwork } from '../support/network.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let front: GatewayUnderTest
let browser: Browser
let page: Page
let failures: string[]

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url })
  front = await startGateway(network)
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await front.close(() => network.close())
  await engine.close()
})
beforeEach(async () => {
  engine.script = answerChat()
  failures = []
  page = await browser.newPage()
  page.on('request', (request) => {
    if (!request.url().startsWith(front.url) && request.url() !== 'data:,') failures.push(`asked for ${request.url()}`)
  })
  page.on('pageerror', (error) => failures.push(error.message))
})
afterEach(async () => {
  await page.close()
  if (failures.length > 0) throw new Error(failures.join('; '))
})

const open = (): Promise<unknown> => page.goto(`${front.url}/console#${ADMIN_KEY}`)
const view = (name: string): Promise<void> => page.getByRole('navigation').getByRole('button', { name }).click()

test('the key is gone from the address at once, and without it nothing is shown', async () => {
  await open()
  await page.getByRole('button', { name: 'Ask' }).waitFor()
  expect(page.url()).toBe(`${front.url}/console/`)
  const other = await browser.newPage()
  await other.goto(`${front.url}/console/`)
  await other.getByLabel('Admin key').fill('wrong')
  await other.getByRole('button', { name: 'Open' }).click()
  await other.getByRole('navigation').getByRole('button', { name: 'Requests' }).click()
  await other.getByText('invalid_api_key').waitFor()
  await other.getByLabel('Admin key').waitFor()
  await other.close()
})

test('a question is answered as a stream, with evidence and cost, and stands among the requests', async () => {
  await open()
  await page.getByLabel('Question').fill('Hi')
  await page.getByRole('button', { name: 'Quote' }).click()
  await page.getByText(/can cost at most 0\.\d+ TON/).waitFor()
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText('Hello there!').waitFor()
  await page.getByText('16 nanoTON').waitFor()
  await page.getByText('simulated').waitFor()
  await view('Requests')
  const row = page.getByRole('row').nth(1)
  await row.getByText('16 nanoTON').waitFor()
  expect(await row.innerText()).toContain('test-model')
  expect(await row.getByRole('img').getAttribute('aria-label')).toMatch(/first byte after \d+ ms, ended after \d+ ms/)
  await view('Usage')
  await page.getByRole('region', { name: 'Usage by model' }).getByText('test-model').waitFor()
})

test('models are listed with their prices', async () => {
  await open()
  await view('Models')
  const row = page.getByRole('row').filter({ hasText: 'test-model' })
  await row.getByText('0.002 TON').first().waitFor()
})

test('what an answer says is text, also when it looks like markup', async () => {
  engine.script = answerChat(['<img src=x onerror=alert(1)>'])
  await open()
  await page.getByLabel('Question').fill('Hi')
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText('<img src=x onerror=alert(1)>').waitFor()
  expect(await page.locator('main img').count()).toBe(0)
})

// From the first key on, every caller needs one.
test('a key is made, shown once and revoked; a budget is set and dropped', async () => {
  await open()
  await view('Keys and budgets')
  await page.getByText('Set a budget').click()
  await page.getByLabel('Limit in TON').fill('2.5')
  await page.getByRole('button', { name: 'Set the budget' }).click()
  await page.getByText(/of 2\.5 TON/).waitFor()
  expect(front.gateway.budgets.list()).toMatchObject([{ budget: { scope: 'node', limitNano: 2_500_000_000n } }])
  await page.getByRole('button', { name: 'Drop the day budget of the node' }).click()
  await page.getByText('No budgets').waitFor()

  await page.getByText('Make a key').click()
  await page.getByLabel('Name').fill('shop')
  await page.getByRole('button', { name: 'Make the key' }).click()
  const key = await page.getByText(/^ck_/).innerText()
  const made = front.gateway.identify(key)
  expect(made.name).toBe('shop')
  await page.getByRole('button', { name: `Revoke ${made.id}` }).click()
  await page.getByText('revoked', { exact: true }).waitFor()
  expect(() => front.gateway.identify(key)).toThrow(expect.objectContaining({ code: 'request.key-revoked' }))
})

test('the playground asks as the owner, or with a key, whose limits then hold', async () => {
  const { key } = await front.gateway.createKey({
    project: 'default',
    name: '',
    scopes: ['inference', 'models'],
    models: [],
    limits: {},
    expiresMs: null,
  })
  await open()
  await page.getByRole('option', { name: 'test-model' }).waitFor({ state: 'attached' })
  await page.getByLabel('API key').fill(key)
  await page.getByLabel('API key').blur()
  await page.getByRole('option', { name: 'test-model' }).waitFor({ state: 'attached' })
  await page.getByLabel('Question').fill('Hi')
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText('Hello there!').waitFor()
  await view('Requests')
  await page.getByRole('cell', { name: 'owner' }).first().waitFor()
  await page.getByRole('cell', { name: front.gateway.identify(key).id }).waitFor()
})
