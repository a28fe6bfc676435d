/** Models, usage and requests of the console in a real browser: what it shows is what the network did. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, useConsole } from '../support/console-page.ts'
import { answerChat, type Script } from '../support/scripted-engine.ts'

const DESCRIBED = { max_model_len: 8192, abilities: { can: ['chat', 'tools'], cannot: ['vision'] } }
const consoleAt = useConsole({ workers: 2 }, DESCRIBED)

/** The playground has fields as well, but hidden ones. */
const field = (name: string) => consoleAt.page.getByLabel(name, { exact: true }).filter({ visible: true })
const table = (name: string) => consoleAt.page.getByRole('region', { name })
/** The rows of the list of requests, without its head and without opened details. */
const listed = () => table('Newest requests').locator('tbody tr:not(.details)')
const asked = async (body?: Readonly<Record<string, unknown>>, key?: string): Promise<string> => {
  const reply = await consoleAt.ask(body, key)
  await reply.text()
  return reply.headers.get('x-request-id') ?? ''
}
/** A file that a button gives. */
async function saved(button: string): Promise<{ readonly name: string; readonly lines: readonly string[] }> {
  const coming = consoleAt.page.waitForEvent('download')
  await consoleAt.page.getByRole('button', { name: button, exact: true }).click()
  const download = await coming
  return {
    name: download.suggestedFilename(),
    lines: readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\n'),
  }
}

test('models are listed with their prices, load, abilities and workers; one leads to the playground', async () => {
  const { page } = consoleAt
  await consoleAt.open('Models')
  const row = page.getByRole('row').filter({ hasText: 'test-model' })
  await row.getByText('0.002 TON').first().waitFor()
  await row.getByText('chat, tools').waitFor()
  await row.getByText('8\u202f192').waitFor()
  await row.getByText('simulated').waitFor()
  await page.getByRole('button', { name: 'Workers of test-model: 2' }).click()
  const workers = page.getByRole('list', { name: 'Workers of test-model' }).getByRole('listitem')
  expect(await workers.count()).toBe(2)
  expect(await workers.first().innerText()).toMatch(/Price\s+1 × the network’s[\s\S]*Cannot\s+vision/)
  expect(await row.getByText(/^0 of \d+$/).count()).toBe(1)
  await field('Find a model').fill('nothing like it')
  await page.getByText('No model has this in its name.').waitFor()
  await field('Find a model').fill('TEST')
  await page.getByRole('link', { name: 'test-model' }).click()
  await page.getByRole('heading', { level: 1, name: 'Playground' }).waitFor()
  expect(await field('Model').inputValue()).toBe('test-model')
  await page.getByText('8\u202f192 tokens of context; chat, tools').waitFor()
})

test('a list of models that a proxy did not answer to says so', async () => {
  const { page } = consoleAt
  await page.route('**/v1/models', async (route) => {
    const reply = await route.fetch()
    await route.fulfill({
      json: { ...((await reply.json()) as object), silent_proxies: ['127.0.0.1:7', '127.0.0.1:8'] },
    })
  })
  await consoleAt.open('Models')
  await page.getByText('2 proxies did not answer (127.0.0.1:7, 127.0.0.1:8)').waitFor()
  await page.getByRole('row').filter({ hasText: 'test-model' }).waitFor()
})

test('a model that many ask shows its load', async () => {
  const { page, engine } = consoleAt
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  engine.script = async (request, reply) => {
    await held
    await answerChat()(request, reply)
  }
  const asking = [consoleAt.ask(), consoleAt.ask()]
  await eventually(() => engine.seen.length).toBeGreaterThanOrEqual(2)
  await consoleAt.open('Models')
  // What workers tell reaches the client a moment later.
  await page.getByText(/^[12] of \d+$/).waitFor()
  release()
  for (const reply of await Promise.all(asking)) await reply.text()
})

test('use is drawn by day and split by model, and its sums stand beneath and in files', async () => {
  const { page, front } = consoleAt
  await asked()
  await asked({ model: 'none-such' })
  await front.gateway.written()
  await consoleAt.open('Usage')
  const chart = page.getByRole('figure').getByRole('img')
  await chart.waitFor()
  const [day] = await front.gateway.usage({ by: 'day' })
  expect(await chart.getAttribute('aria-label')).toContain(`${day?.costNano} nanoTON in all`)
  expect(await chart.locator('rect').count()).toBe(1)
  expect(await table('Usage by day').getByRole('row').nth(1).innerText()).toContain(`${day?.costNano} nanoTON`)
  await table('Usage by reason')
    .getByText('model_not_found')
    .or(table('Usage by reason').getByText('request.unknown-model'))
    .waitFor()

  await field('Split by').selectOption('model')
  await eventually(() => chart.locator('rect title').allTextContents()).toEqual([
    expect.stringMatching(/^\d{4}-\d\d-\d\d, test-model: \d+ nanoTON$/),
  ])
  await field('Measured in').selectOption('requests')
  await eventually(() => chart.getAttribute('aria-label')).toMatch(/^requests by day/)

  const { name, lines } = await saved('Download the usage by model as CSV')
  expect(name).toBe('cocoon-usage-by-model.csv')
  expect(lines[0]).toMatch(/^model,requests,failed,/)
  expect(lines.find((line) => line.startsWith('test-model,'))).toContain(`,${day?.costNano},`)
})

test('a request stands with its course: who had it, when it was sent, begun and done, and what it cost', async () => {
  const { page } = consoleAt
  const id = await asked()
  await consoleAt.open('Requests')
  await page.getByRole('button', { name: `Request ${id}` }).click()
  const moments = page.getByRole('region', { name: 'Timeline' }).getByRole('listitem')
  const texts = await moments.allInnerTexts()
  expect(
    texts.map((text) => text.replace(/^[\d.]+ m?s\s+/, '')).filter((text) => !text.startsWith('It had waited')),
  ).toEqual([
    'It came, from the owner of the node.',
    expect.stringMatching(/^It was sent to worker \S+ through the proxy 127\.0\.0\.1:\d+\.$/),
    'The first of the answer went to the caller.',
    'Done. 16 nanoTON were charged.',
  ])
  const details = page.locator('tr.details')
  expect(await details.innerText()).toMatch(/Tokens\s+5 prompt, 3 completion/)
  expect(await details.innerText()).toMatch(/Evidence of the proxy\s+simulated/)
  const bar = listed().first().getByRole('img')
  expect(await bar.getAttribute('aria-label')).toMatch(/first byte after [\d.]+ m?s, ended after [\d.]+ m?s$/)
})

test('a request that two workers had tells of both, and why the first one lost it', async () => {
  const { page, engine } = consoleAt
  let tries = 0
  const once: Script = (request, reply) => {
    if (tries++ > 0) return answerChat()(request, reply)
    reply.writeHead(500, { 'content-type': 'application/json' }).end('{"error":{"message":"out of memory"}}')
  }
  engine.script = once
  const id = await asked()
  expect(tries).toBe(2)
  await consoleAt.open()
  await page.goto(`${page.url()}#/requests/${id}`)
  const timeline = page.getByRole('region', { name: 'Timeline' })
  await timeline.getByText('(attempt 2 of 2)').waitFor()
  expect(await timeline.innerText()).toMatch(/\(attempt 1 of 2\)[\s\S]*Attempt 1 ended: \S+\.[\s\S]*attempt 2 of 2/)
  expect(await listed().count()).toBe(1)
})

test('a request that this node refused is listed with its reason and what mends it', async () => {
  const { page, front } = consoleAt
  const name = { scope: 'node', id: '', model: '', window: 'day' } as const
  await front.gateway.setBudget({ ...name, limitNano: 1n, warnAtPercent: 80 })
  const id = await asked()
  await front.gateway.dropBudget(name)
  await consoleAt.open('Requests')
  await field('Result').selectOption('refused')
  await page.getByRole('button', { name: `Request ${id}` }).click()
  const timeline = page.getByRole('region', { name: 'Timeline' })
  await timeline.getByText('This node refused it: payment.budget-exceeded.').waitFor()
  await timeline.getByText('or raise the budget').waitFor()
})

test('requests are found by result, reason and id, and what is found is saved', async () => {
  const { page } = consoleAt
  const id = await asked()
  await asked({ max_cost: 0 })
  await consoleAt.open('Requests')
  await field('Reason').fill('payment.max-cost')
  await expect
    .poll(async () => new Set(await listed().locator('.result').allInnerTexts()))
    .toEqual(new Set(['payment.max-cost']))
  await field('Reason').fill('')
  await field('Request').fill(id)
  await eventually(() => listed().count()).toBe(1)
  const { name, lines } = await saved('Download CSV')
  expect([name, lines.length]).toEqual(['cocoon-requests.csv', 2])
  expect(lines[1]).toContain(id)
  await field('Request').fill('no-such-id')
  await page.getByText('No request fits.').waitFor()
})

test('new requests come by themselves; while one is read they wait behind a button', async () => {
  const { page, front } = consoleAt
  await asked()
  await page.clock.install()
  await consoleAt.open('Requests')
  await listed().first().waitFor()
  const before = await listed().count()
  await asked()
  await front.gateway.written()
  await page.clock.runFor(3_500)
  await eventually(() => listed().count()).toBe(before + 1)

  const read = listed().nth(0)
  const name = await read.getByRole('button').getAttribute('aria-label')
  await read.getByRole('button').click()
  await asked()
  await asked()
  await front.gateway.written()
  await page.clock.runFor(3_500)
  await page.getByRole('button', { name: 'Show 2 new' }).waitFor()
  expect(await listed().nth(0).getByRole('button').getAttribute('aria-label')).toBe(name)
  expect(await page.locator('tr.details').count()).toBe(1)
  await page.getByRole('button', { name: 'Show 2 new' }).click()
  await eventually(() => listed().count()).toBe(before + 3)
  expect(await listed().nth(2).getByRole('button').getAttribute('aria-expanded')).toBe('true')

  await field('Live').uncheck()
  await asked()
  await front.gateway.written()
  await page.clock.runFor(10_000)
  expect(await page.getByRole('button', { name: /^Show/ }).count()).toBe(0)
})

test('older requests are fetched when asked for, each once', async () => {
  const { page, front } = consoleAt
  for (let i = 0; i < 60; i += 10) await Promise.all(Array.from({ length: 10 }, () => asked({ max_cost: 0 })))
  await front.gateway.written()
  const { count } = await front.gateway.receipts({ limit: 1 })
  await consoleAt.open('Requests')
  await eventually(() => listed().count()).toBe(50)
  await page.getByRole('button', { name: 'Load older' }).click()
  await eventually(() => listed().count()).toBe(Math.min(count, 100))
  const names = await Promise.all(
    (await listed().getByRole('button').all()).map((one) => one.getAttribute('aria-label')),
  )
  expect(new Set(names).size).toBe(names.length)
})
