/** Keys, budgets, projects and members of the console in a real browser: what is pressed happens in the gateway. */
import { expect, test } from 'vitest'
import { useConsole } from '../support/console-page.ts'

const consoleAt = useConsole()

/** The playground has fields as well, but hidden ones. */
const field = (name: string) => consoleAt.page.getByLabel(name, { exact: true }).filter({ visible: true })
const press = (name: string): Promise<void> => consoleAt.page.getByRole('button', { name, exact: true }).click()
const openForm = (name: string): Promise<void> => consoleAt.page.locator('summary', { hasText: name }).click()
/** The cells of the row that has this text. */
const row = (text: string) => consoleAt.page.getByRole('row').filter({ hasText: text })

test('a budget of the node is set, changed and dropped', async () => {
  const { front, page } = consoleAt
  await (await consoleAt.ask()).text()
  await consoleAt.open('Budgets')
  await page.getByText('No budgets').waitFor()
  await openForm('Set a budget')
  await field('Window').selectOption('day')
  await field('Limit in TON').fill('2.5')
  await press('Set the budget')
  await row('the node').getByText('16 nanoTON of 2.5 TON').waitFor()
  const name = { scope: 'node', id: '', model: '', window: 'day' }
  expect(front.gateway.budgets.list()).toMatchObject([
    { budget: { ...name, limitNano: 2_500_000_000n, warnAtPercent: 80 }, spentNano: 16n },
  ])

  await openForm('Set a budget')
  await page.getByText('There is one of 2.5 TON').waitFor()
  await field('Limit in TON').fill('3')
  await field('Warn at, in percent').fill('50')
  await press('Set the budget')
  await row('the node').getByText('of 3 TON').waitFor()
  expect(front.gateway.budgets.list()).toMatchObject([{ budget: { limitNano: 3_000_000_000n, warnAtPercent: 50 } }])

  await press('Drop the day budget of the node')
  expect(front.gateway.budgets.list()).toHaveLength(1)
  await press('Drop it: spending is free')
  await page.getByText('No budgets').waitFor()
  expect(front.gateway.budgets.list()).toEqual([])
})

test('an amount that is none is refused with the field, and nothing changes', async () => {
  const { front, page } = consoleAt
  await consoleAt.open('Budgets')
  await openForm('Set a budget')
  await field('Limit in TON').fill('a lot')
  await press('Set the budget')
  const alert = page.getByRole('alert')
  await alert.getByText('The field at fault is limit.').waitFor()
  expect(front.gateway.budgets.list()).toEqual([])
})

test('a project is made and renamed', async () => {
  const { front } = consoleAt
  await consoleAt.open('Projects')
  await openForm('Make a project')
  await field('Id').fill('shop')
  await press('Make the project')
  await row('shop').waitFor()
  await openForm('Make a project')
  await field('Id').fill('shop')
  await field('Name').fill('The shop')
  await press('Make the project')
  await row('The shop').waitFor()
  expect(front.gateway.projects()).toMatchObject([{ id: 'shop', name: 'The shop' }])
})

test('a key is made with all its limits, shown once, copied, and revoked only when confirmed', async () => {
  const { front, page } = consoleAt
  await front.gateway.createProject('shop', 'shop')
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await consoleAt.open('Keys')
  await openForm('Make a key')
  await field('Name').fill('backend')
  await field('Project').selectOption('shop')
  await field('It may').selectOption('ask models')
  await field('Models').fill('test-model, other')
  await field('Requests a minute').fill('60')
  await field('Tokens a minute').fill('9000')
  await field('Requests at once').fill('4')
  await field('Last day').fill('2099-12-31')
  await press('Make the key')
  const key = await page.getByText(/^ck_/).innerText()
  await press('Copy the key')
  await page.getByText('Copied.').waitFor()
  expect(await page.evaluate<string>('navigator.clipboard.readText()')).toBe(key)
  const made = front.gateway.identify(key)
  expect(made).toMatchObject({
    name: 'backend',
    project: 'shop',
    scopes: ['inference'],
    models: ['test-model', 'other'],
    limits: { requestsPerMinute: 60, tokensPerMinute: 9000, maxConcurrent: 4 },
    expiresMs: Date.parse('2099-12-31T23:59:59Z'),
  })
  await press('I have it')
  expect(await page.content()).not.toContain(key)

  await press('Revoke backend')
  await page.keyboard.press('Escape')
  expect(front.gateway.identify(key).revokedMs).toBeNull()
  await press('Revoke backend')
  await press('Revoke it for good')
  await row('backend').getByText('revoked').waitFor()
  expect(() => front.gateway.identify(key)).toThrow(expect.objectContaining({ code: 'request.key-revoked' }))
})

test('a budget of a key for one model binds that key, and is told by the key’s name', async () => {
  const { front } = consoleAt
  const { key } = await front.gateway.createKey({
    project: 'default',
    name: 'small',
    scopes: ['inference', 'models'],
    models: [],
    limits: {},
    expiresMs: null,
    madeBy: null,
  })
  await consoleAt.open('Budgets')
  await openForm('Set a budget')
  await field('Of').selectOption('key small')
  await field('Model').selectOption('test-model')
  await field('Window').selectOption('total')
  await field('Limit in TON').fill('0.000000001')
  await press('Set the budget')
  await row('key small').getByText('for ever').waitFor()
  const reply = await consoleAt.ask({}, key)
  expect([reply.status, (await reply.json()) as unknown]).toMatchObject([
    402,
    { error: { code: 'payment.budget-exceeded' } },
  ])
})

test('a key that cannot be made says which field is wrong', async () => {
  const { page } = consoleAt
  await consoleAt.open('Keys')
  await openForm('Make a key')
  await field('Requests a minute').fill('0')
  await press('Make the key')
  await page.getByRole('alert').getByText('The field at fault is limits.requests_per_minute.').waitFor()
})

test('a member is added, sees its own project with what its role allows, and is gone when removed', async () => {
  const { front, page } = consoleAt
  for (const project of ['shop', 'lab']) await front.gateway.createProject(project, project)
  await front.gateway.createKey({
    project: 'lab',
    name: 'secret of the lab',
    scopes: ['inference'],
    models: [],
    limits: {},
    expiresMs: null,
    madeBy: null,
  })
  await consoleAt.open('Projects')
  await openForm('Add a member')
  await field('Who').fill('Ada')
  await field('Role').selectOption('member: makes keys')
  await field('In the project').selectOption('shop')
  await press('Add the member')
  const credential = await page.getByText(/^cm_/).innerText()
  await press('I have it')
  await row('Ada').getByText('shop').waitFor()
  await page.getByLabel('Role of Ada').selectOption('viewer')
  await press('Make Ada viewer')
  await page.getByRole('button', { name: 'Make Ada viewer' }).waitFor({ state: 'detached' })
  expect(front.gateway.members()[0]?.role).toBe('viewer')
  await page.getByLabel('Role of Ada').selectOption('member')
  await press('Make Ada member')
  await page.getByRole('button', { name: 'Make Ada member' }).waitFor({ state: 'detached' })
  expect(front.gateway.members()[0]?.role).toBe('member')

  const before = page.url()
  await page.goto('about:blank')
  await consoleAt.open('Keys', credential)
  await openForm('Make a key')
  expect(await field('Project').locator('option').allInnerTexts()).toEqual(['shop'])
  await field('Name').fill('Ada’s')
  await press('Make the key')
  const key = await page.getByText(/^ck_/).innerText()
  expect(front.gateway.identify(key)).toMatchObject({ project: 'shop', madeBy: front.gateway.members()[0]?.id })
  expect(await page.getByText('secret of the lab').count()).toBe(0)
  await consoleAt.view('Budgets')
  expect(await page.getByText('Set a budget').count()).toBe(0)
  await consoleAt.view('Projects')
  expect(await page.getByText('Make a project').or(page.getByText('Add a member')).count()).toBe(0)
  await consoleAt.view('Playground')
  await field('API key').fill(key)
  await field('API key').blur()
  await field('Question').fill('Hi')
  await press('Ask')
  await page.getByText('Answered.').waitFor()
  await consoleAt.view('Requests')
  await page
    .getByRole('button', { name: /^Request / })
    .first()
    .waitFor()
  expect(await page.getByText('owner', { exact: true }).count()).toBe(0)

  await page.goto('about:blank')
  await consoleAt.open('Projects')
  expect(before).not.toContain(credential)
  await press('Remove Ada')
  await press('Remove, and revoke the keys they made')
  await row('Ada').getByText('removed').waitFor()
  expect(() => front.gateway.identify(key)).toThrow(expect.objectContaining({ code: 'request.key-revoked' }))
  await page.goto('about:blank')
  await page.goto(`${front.url}/console#${credential}`)
  await page.getByText('The node does not take this key.').waitFor()
})
