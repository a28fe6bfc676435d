/** Batches of the console in a real browser: a file goes in, answers come out. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chatLines } from '../support/batch-node.ts'
import { useConsole } from '../support/console-page.ts'
import { answerChat } from '../support/scripted-engine.ts'

const consoleAt = useConsole()

const field = (name: string) => consoleAt.page.getByLabel(name, { exact: true }).filter({ visible: true })
const press = (name: string | RegExp): Promise<void> =>
  consoleAt.page.getByRole('button', { name, exact: true }).click()
const rows = () => consoleAt.page.getByRole('region', { name: /^Batches/ }).locator('tbody tr')

async function start(lines: string): Promise<void> {
  await consoleAt.page.locator('summary', { hasText: 'Start a batch' }).click()
  await field('File').setInputFiles({ name: 'in.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(lines) })
  await press('Start the batch')
}

test('a file of requests is answered, with its progress, its cost and its answers to save', async () => {
  const { page } = consoleAt
  await consoleAt.open('Batches')
  await page.getByText('No batches yet.').waitFor()
  await start(chatLines(3))
  await rows().getByText('completed').waitFor()
  expect(await rows().innerText()).toContain('3 of 3')
  expect(await rows().innerText()).toContain('48 nanoTON')
  const coming = page.waitForEvent('download')
  await press(/^Save the answers of /)
  const download = await coming
  expect(download.suggestedFilename()).toMatch(/-answers\.jsonl$/)
  const answers = readFileSync(await download.path(), 'utf8')
    .trim()
    .split('\n')
  expect(answers.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id)).toEqual([
    'line-0',
    'line-1',
    'line-2',
  ])
})

test('a file with a fault is not begun: its lines and faults are shown', async () => {
  const { page } = consoleAt
  await consoleAt.open('Batches')
  await start(`${chatLines(1)}\n{"custom_id": "b", "method": "GET", "url": "/v1/chat/completions", "body": {}}`)
  await rows().first().getByText('failed').waitFor()
  await page
    .locator('tr.details')
    .getByText(/^Line 2: /)
    .waitFor()
})

test('a batch is cancelled when it is confirmed', async () => {
  const { engine } = consoleAt
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  engine.script = async (request, reply) => {
    await held
    await answerChat()(request, reply)
  }
  await consoleAt.open('Batches')
  await start(chatLines(40))
  await rows().first().getByText('in progress').waitFor()
  await press(/^Cancel batch/)
  await press('Cancel it for good')
  await rows().first().getByText('cancelling').waitFor()
  release()
  await rows().first().getByText('cancelled').waitFor()
})
