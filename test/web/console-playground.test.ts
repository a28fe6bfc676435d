/** The console's playground in a real browser: what is asked, what is shown of the answer, and what becomes of trouble. */
import { expect, test } from 'vitest'
import { eventually, useConsole } from '../support/console-page.ts'
import { answerChat } from '../support/scripted-engine.ts'

const consoleAt = useConsole()

const ask = (): Promise<void> => consoleAt.page.getByRole('button', { name: 'Ask', exact: true }).click()
const answers = () => consoleAt.page.getByRole('group', { name: 'Answer' })
/** The value of a fact beneath the newest answer. */
const fact = (name: string) =>
  consoleAt.page
    .getByRole('article')
    .last()
    .locator('dl > div')
    .filter({ has: consoleAt.page.getByText(name, { exact: true }) })
    .locator('dd')

test('a question has its price before it is asked, and its answer comes with evidence, proxy, cost, tokens and times', async () => {
  const { page, engine } = consoleAt
  await consoleAt.open()
  await page.getByLabel('Question').fill('Hi')
  await page.getByText(/^Can cost at most [\d\u202f]+ nanoTON\.$/).waitFor()
  const asked = engine.seen.length
  await ask()
  await answers().getByText('Hello there!').waitFor()
  await page.getByText('Answered.').waitFor()
  expect(await fact('Evidence of the proxy').innerText()).toBe('simulated')
  expect(await fact('Proxy').innerText()).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(await fact('Cost').innerText()).toBe('16 nanoTON')
  expect(await fact('Tokens').innerText()).toBe('5 read, 3 written')
  expect(await fact('First token after').innerText()).toMatch(/^[\d.]+ m?s$/)
  expect(await fact('All after').innerText()).toMatch(/^[\d.]+ m?s/)
  expect(await fact('Ended because').innerText()).toBe('the model had finished')
  expect(engine.seen).toHaveLength(asked + 1)
})

test('an answer is shown as it is written, and stopping it keeps what has come', async () => {
  const { page, engine, front } = consoleAt
  const hungUp = engine.hungUp
  engine.script = ({ body }, reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    const choices = [{ index: 0, delta: { content: 'The first half' }, finish_reason: null }]
    reply.write(
      `data: ${JSON.stringify({ id: 'a', object: 'chat.completion.chunk', model: body['model'], choices })}\n\n`,
    )
  }
  await consoleAt.open()
  await page.getByLabel('Question').fill('Hi')
  await ask()
  await answers().getByText('The first half').waitFor()
  expect(await page.getByRole('article').getAttribute('aria-busy')).toBe('true')
  // It goes on while another view is shown.
  await consoleAt.view('Usage')
  await consoleAt.view('Playground')
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.getByText('Stopped.').waitFor()
  expect(await answers().innerText()).toContain('The first half')
  await eventually(() => engine.hungUp).toBe(hungUp + 1)
  await fact('Cost').waitFor()
  expect(front.gateway.budgets.list()).toEqual([])
})

test('a conversation goes along with the next question, and starts over when asked to', async () => {
  const { page, engine } = consoleAt
  await consoleAt.open()
  await page.getByText('More parameters').click()
  await page.getByLabel('Instructions').fill('Be brief.')
  await page.getByLabel('Question').fill('One')
  await ask()
  await page.getByText('Answered.').waitFor()
  await page.getByLabel('Question').fill('Two')
  await page.getByLabel('Question').press('Control+Enter')
  await eventually(() => answers().count()).toBe(2)
  await page.getByText('Answered.').nth(1).waitFor()
  expect(engine.seen.at(-1)?.body['messages']).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'One' },
    { role: 'assistant', content: 'Hello there!' },
    { role: 'user', content: 'Two' },
  ])
  engine.script = answerChat(['Otherwise'])
  await page.getByRole('button', { name: 'Ask again' }).click()
  await answers().nth(1).getByText('Otherwise').waitFor()
  expect(await answers().count()).toBe(2)
  await page.getByRole('button', { name: 'Start over' }).click()
  expect(await answers().count()).toBe(0)
})

test('what stands in the parameters is what is asked', async () => {
  const { page, engine } = consoleAt
  await consoleAt.open()
  await page.getByText('More parameters').click()
  for (const [label, value] of [
    ['Longest answer, in tokens', '77'],
    ['Temperature', '0.5'],
    ['Top p', '0.9'],
    ['Seed', '7'],
    ['Highest price', '1.5'],
    ['Most it may cost', '0.5'],
  ] as const)
    await page.getByLabel(label, { exact: true }).fill(value)
  await page.getByLabel('Answer as a JSON object').check()
  await page.getByLabel('Question').fill('Hi')
  await page.getByText('As a command').click()
  const command = await page.getByText(/^curl /).innerText()
  await ask()
  await page.getByText('Answered.').waitFor()
  expect(engine.seen.at(-1)?.body).toMatchObject({
    model: 'test-model',
    max_tokens: 77,
    temperature: 0.5,
    top_p: 0.9,
    seed: 7,
    response_format: { type: 'json_object' },
  })
  expect(command).toContain('"max_coefficient": 1500')
  expect(command).toContain('"max_cost": "0.5 TON"')
  expect(command).not.toContain('Bearer an-admin')
})

test('what an answer says is text, also when it looks like markup; code stands in a box of its own', async () => {
  const { page, engine } = consoleAt
  engine.script = answerChat(['<img src=x onerror=alert(1)>\n```js\n', '<b>code</b>\n```\n', 'after'])
  await consoleAt.open()
  await page.getByLabel('Question').fill('<script>alert(2)</script>')
  await ask()
  await page.getByText('Answered.').waitFor()
  await answers().getByText('<img src=x onerror=alert(1)>').waitFor()
  expect(await page.locator('main img, main script, main b').count()).toBe(0)
  expect(await answers().locator('pre').innerText()).toBe('<b>code</b>\n')
  expect(await answers().locator('p').last().innerText()).toBe('after')
})

test('reasoning is kept apart from the answer', async () => {
  const { page, engine } = consoleAt
  engine.script = ({ body }, reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    const base = { id: 'a', object: 'chat.completion.chunk', model: body['model'] }
    for (const delta of [{ reasoning_content: 'Let me see.' }, { content: 'Four.' }])
      reply.write(`data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`)
    const usage = {
      prompt_tokens: 5,
      completion_tokens: 9,
      total_tokens: 14,
      completion_tokens_details: { reasoning_tokens: 6 },
    }
    reply.write(`data: ${JSON.stringify({ ...base, choices: [], usage })}\n\n`)
    reply.end('data: [DONE]\n\n')
  }
  await consoleAt.open()
  await page.getByLabel('Question').fill('Hi')
  await ask()
  await page.getByText('Answered.').waitFor()
  expect(await answers().innerText()).not.toContain('Let me see.')
  await page.locator('summary', { hasText: 'Reasoning' }).click()
  await page.getByText('Let me see.').waitFor()
  expect(await fact('Tokens').innerText()).toBe('5 read, 9 written (6 reasoning)')
})

test('a question that is refused says why, with the code and what mends it', async () => {
  const { page } = consoleAt
  await consoleAt.open()
  await page.getByLabel('Most it may cost').fill('0')
  await page.getByLabel('Question').fill('Hi')
  await page.getByText(/^Can cost at most/).waitFor()
  await ask()
  const alert = page.getByRole('alert')
  await alert.getByText('payment.max-cost').waitFor()
  expect(await alert.innerText()).toContain('Raise the most it may cost')
  await page.getByRole('status').getByText('Failed.').waitFor()
})

test('an answer that breaks off keeps what has come, and says that it broke', async () => {
  const { page, engine } = consoleAt
  engine.script = ({ body }, reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    const choices = [{ index: 0, delta: { content: 'Only this' }, finish_reason: null }]
    reply.write(
      `data: ${JSON.stringify({ id: 'a', object: 'chat.completion.chunk', model: body['model'], choices })}\n\n`,
      () => reply.destroy(),
    )
  }
  await consoleAt.open()
  await page.getByLabel('Question').fill('Hi')
  await ask()
  await page.getByRole('status').getByText('Failed.').waitFor()
  expect(await answers().innerText()).toContain('Only this')
  expect(await page.getByRole('alert').innerText()).toMatch(/engine\.|protocol\./)
})

// Last: from the first key on, every caller needs one.
test('asks as the owner, or with a key, whose models and budget then hold', async () => {
  const { page, front } = consoleAt
  const { key, made } = await front.gateway.createKey({
    project: 'default',
    name: 'small',
    scopes: ['inference', 'models'],
    models: [],
    limits: {},
    expiresMs: null,
    madeBy: null,
  })
  await front.gateway.setBudget({
    scope: 'key',
    id: made.id,
    model: '',
    window: 'day',
    limitNano: 10n,
    warnAtPercent: 80,
  })
  await consoleAt.open()
  await page.getByLabel('Question').fill('Hi')
  await ask()
  await page.getByText('Answered.').waitFor()
  await page.getByLabel('API key').fill(key)
  await page.getByLabel('API key').blur()
  await page.getByLabel('Question').fill('Again')
  await ask()
  const alert = page.getByRole('alert')
  await alert.getByText('payment.budget-exceeded').waitFor()
  await alert.getByRole('link').click()
  await page.getByRole('heading', { level: 1, name: 'Budgets' }).waitFor()
  expect(page.url()).not.toContain(key)
})
