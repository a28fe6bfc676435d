/** The page that verifies evidence without a server, in a real browser: the same verdicts as in Node, and nothing sent anywhere. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  assessCertificate,
  type Assessment,
  assessEvidence,
  type AssessOptions,
  BUILT_IN_POLICIES,
  type BuiltInPolicy,
  detectEvidence,
  encodeBundle,
  type JudgeContext,
  nodeVerifyCrypto,
  parseBundle,
} from '../../src/tee/index.ts'
import { vectorBytes } from '../support/attestation-vectors.ts'
import { openBrowser } from '../support/chromium.ts'
import { amdItems, bundleOf, nvidiaItems } from '../support/collateral-vectors.ts'
import { caseOf, dcapQuotes, vector } from '../support/dcap-vectors.ts'
import { ROOT } from '../support/source-files.ts'

const good = caseOf('tdx/v4-cocoon-reference.bin', '2025-10-21')
const outdated = caseOf('tdx/v4-00806f-outofdate.bin', '2025-06-19')
const debuggable = caseOf('tdx/v4-50806f-debug-td.bin', '2025-10-21')
const CERTIFICATE = new Uint8Array(readFileSync(join(ROOT, 'spec/vectors/ratls/reference-simulated-1.der')))
const CERTIFICATE_AT = '2026-11-21T12:00:00Z'
const SNP_AT = '2029-08-06T14:05:07Z'
const recorded = bundleOf(good, outdated, debuggable)
const BUNDLE = encodeBundle({ ...recorded, items: [...recorded.items, ...amdItems(), ...nvidiaItems()] })
const imageOf = (quote: string): string => String(dcapQuotes[quote]?.['cocoonImageHash'])

let browser: Browser
let page: Page
let folder: string
let requested: string[]
let failures: string[]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-page-'))
  await build({
    configFile: join(ROOT, 'web/verify/vite.config.ts'),
    logLevel: 'error',
    build: { outDir: join(folder, 'page'), emptyOutDir: true },
  })
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  requested = []
  failures = []
  page = await browser.newPage()
  page.on('request', (request) => requested.push(request.url()))
  page.on('pageerror', (error) => failures.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') failures.push(message.text())
  })
  await page.goto(pathToFileURL(join(folder, 'page/index.html')).href)
})
afterEach(async () => {
  await page.close()
  // The page itself, from the disk, and nothing else; no script that failed, nothing that its policy had to stop.
  const own = pathToFileURL(join(folder, 'page/index.html')).href
  const surprises = [
    ...requested.filter((url) => url !== own && url !== 'data:,').map((url) => `asked for ${url}`),
    ...failures,
  ]
  if (surprises.length > 0) throw new Error(surprises.join('; '))
})

interface Case {
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly at: string
  readonly policy?: BuiltInPolicy
  readonly network?: 'real' | 'simulated'
  readonly images?: readonly string[]
  readonly bundle?: boolean
}

const give = (files: Readonly<Record<string, Uint8Array>>): Promise<void> =>
  page.getByLabel('Drop files here, or choose them').setInputFiles(
    Object.entries(files).map(([name, bytes]) => ({
      name,
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(bytes),
    })),
  )

/** What the page says of the only file with evidence. */
async function judgedByPage({
  files,
  at,
  policy = 'strict',
  network,
  images = [],
  bundle = true,
}: Case): Promise<Assessment> {
  await page.getByLabel('Time').fill(at)
  await page.getByLabel('Allowed images').fill(images.join('\n'))
  await page.getByLabel('Allowed images').blur()
  await page.getByLabel('Policy', { exact: true }).selectOption(policy)
  if (network !== undefined) await page.getByLabel('Network').selectOption(network)
  await give({ ...(bundle ? { 'bundle.json': new TextEncoder().encode(BUNDLE) } : {}), ...files })
  await page.getByRole('article').waitFor()
  expect(await page.getByRole('article').count()).toBe(1)
  const text = (await page.locator('article pre').textContent()) ?? ''
  return (JSON.parse(text) as { assessment: Assessment }).assessment
}

/** The same, in this process. */
async function judgedByNode({
  files,
  at,
  policy = 'strict',
  network,
  images = [],
  bundle = true,
}: Case): Promise<unknown> {
  const found = Object.values(files).map((bytes) => detectEvidence(bytes))
  const evidence = found.find((one) => one !== null && one.form !== 'event-log')
  if (evidence === undefined || evidence === null) throw new Error('no evidence')
  const networkEvidence: JudgeContext['networkEvidence'] = network ?? null
  const options: AssessOptions = {
    crypto: nodeVerifyCrypto,
    bundle: parseBundle(bundle ? BUNDLE : encodeBundle({ madeAtMs: 0, items: [] })),
    policy: BUILT_IN_POLICIES[policy],
    eventLog: found.find((one) => one?.form === 'event-log')?.bytes ?? null,
    context: { nowMs: Date.parse(at), allowedImageHashes: new Set(images), networkEvidence, about: 'document' },
  }
  const { form } = evidence
  const assessment =
    form === 'certificate'
      ? await assessCertificate(evidence.bytes, 'unknown', options)
      : await assessEvidence({ ...evidence, form }, options)
  return JSON.parse(JSON.stringify(assessment))
}

const flipped = vector(good.quote)
flipped[200] = (flipped[200] as number) ^ 1

const CASES: readonly (readonly [string, string, Case])[] = [
  [
    'a quote of an allowed image',
    'verified',
    { files: { q: vector(good.quote) }, at: good.at, images: [imageOf(good.quote)] },
  ],
  [
    'an outdated platform',
    'refused',
    { files: { q: vector(outdated.quote) }, at: outdated.at, images: [imageOf(outdated.quote)] },
  ],
  [
    'a guest that can be debugged',
    'refused',
    { files: { q: vector(debuggable.quote) }, at: debuggable.at, images: [imageOf(debuggable.quote)] },
  ],
  ['a changed byte', 'refused', { files: { q: flipped }, at: good.at, images: [imageOf(good.quote)] }],
  ['no collateral', 'refused', { files: { q: vector(good.quote) }, at: good.at, bundle: false }],
  ['no allowed image', 'refused', { files: { q: vector(good.quote) }, at: good.at }],
  [
    'a quote with its event log',
    'refused',
    {
      files: { q: vectorBytes('eventlog/cos113-quote.bin'), log: vectorBytes('eventlog/cos113.ccel') },
      at: outdated.at,
    },
  ],
  ['an SEV-SNP report', 'refused', { files: { r: vectorBytes('snp/v3-genoa-ms.bin') }, at: SNP_AT }],
  ['NVIDIA evidence', 'refused', { files: { g: vectorBytes('gpu/hopper-590-evidence.json') }, at: CERTIFICATE_AT }],
  ['a certificate with simulated evidence', 'refused', { files: { c: CERTIFICATE }, at: CERTIFICATE_AT }],
  [
    'the same on a network that says so',
    'simulated',
    { files: { c: CERTIFICATE }, at: CERTIFICATE_AT, policy: 'devnet', network: 'simulated' },
  ],
  ['a certificate that has expired', 'refused', { files: { c: CERTIFICATE }, at: '2027-11-21T12:00:00Z' }],
]

describe('the verdict is that of Node, check by check:', () => {
  test.each(CASES)('%s: %s', async (_, outcome, one) => {
    const found = await judgedByPage(one)
    expect(found.outcome).toBe(outcome)
    expect(found).toEqual(await judgedByNode(one))
  })
})

describe('people', () => {
  test('see the verdict, why, and every check with its inputs', async () => {
    await judgedByPage({
      files: { 'quote.bin': vector(outdated.quote) },
      at: outdated.at,
      images: [imageOf(outdated.quote)],
    })
    const result = page.getByRole('article', { name: 'Result for quote.bin' })
    expect(await result.innerText()).toContain(
      'Refused: Intel’s status of the platform is OutOfDate; the policy accepts UpToDate.',
    )
    await result.getByText('Intel TDX quote', { exact: true }).click()
    const signature = result.locator('li', { hasText: 'quote-signature' })
    expect(await signature.innerText()).toMatch(/✓\s+pass\s+quote-signature The attestation key signed the quote\./)
    await result.locator('li.failed', { hasText: 'policy-tcb-status' }).waitFor()
    expect(await result.innerText()).toContain('That the policy’s demands are met.')
  })

  test('keep what they opened when it is judged again', async () => {
    await judgedByPage({ files: { 'quote.bin': vector(good.quote) }, at: good.at })
    await page.getByText('Intel TDX quote', { exact: true }).click()
    await page.locator('li', { hasText: 'quote-signature' }).waitFor()
    await page.getByLabel('Allowed images').fill(imageOf(good.quote))
    await page.getByLabel('Allowed images').blur()
    await page.getByText('Verified: the evidence').waitFor()
    expect(await page.locator('li', { hasText: 'quote-signature' }).isVisible()).toBe(true)
  })

  test('see what each file is, what cannot be used and why, and can remove it', async () => {
    await give({ 'notes.txt': new TextEncoder().encode('once upon a time'), 'quote.bin': vector(good.quote) })
    const files = page.getByRole('list', { name: 'Files' })
    await files.getByText('not usable').waitFor()
    expect(await files.innerText()).toMatch(/quote\.bin\s+Intel quote, \d+ bytes/)
    expect(await files.innerText()).toContain('no Intel quote, SEV-SNP report')
    await page.getByRole('button', { name: 'Remove notes.txt' }).click()
    await page.getByRole('button', { name: 'Remove quote.bin' }).click()
    await page.getByRole('article').waitFor({ state: 'detached' })
    expect(await files.innerText()).toBe('')
  })

  test('are told what is wrong with what they typed, and get no verdict from it', async () => {
    await give({ 'quote.bin': vector(good.quote) })
    await page.getByRole('article').waitFor()
    for (const [label, text, words] of [
      ['Time', 'yesterday', 'is no time with its zone'],
      ['Allowed images', 'abc', 'is no image hash'],
    ] as const) {
      await page.getByLabel(label).fill(text)
      await page.getByLabel(label).blur()
      await page.getByRole('alert').getByText(words).waitFor()
      expect(await page.getByRole('article').count()).toBe(0)
      await page.getByLabel(label).fill('')
      await page.getByLabel(label).blur()
      await page.getByRole('article').waitFor()
    }
  })

  test('can drop a policy of their own, and read what it accepts', async () => {
    const own = { ...BUILT_IN_POLICIES.strict, name: 'ours', about: 'test', images: [imageOf(good.quote)] }
    await page.getByLabel('Time').fill(good.at)
    await give({
      'policy.json': new TextEncoder().encode(JSON.stringify(own)),
      'bundle.json': new TextEncoder().encode(BUNDLE),
      'quote.bin': vector(good.quote),
    })
    await page.getByText('Verified: the evidence is genuine, and the policy accepts it.').waitFor()
    expect(await page.getByLabel('Policy', { exact: true }).inputValue()).toBe('ours')
    await page.getByText('What this policy accepts').click()
    expect(await page.locator('.explain').innerText()).toContain('TDX')
  })

  test('reach everything with the keyboard, and every control has a name', async () => {
    await judgedByPage({ files: { 'quote.bin': vector(good.quote) }, at: good.at })
    const nameless = await page.evaluate<number>(`
      [...document.querySelectorAll('button, input, select, textarea, summary')].filter((control) => {
        const labels = [...(control.labels ?? [])].map((label) => label.textContent).join('')
        return (control.getAttribute('aria-label') ?? labels) === '' && control.textContent === ''
      }).length`)
    expect(nameless).toBe(0)
    const reached = new Set<string>()
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab')
      reached.add(await page.evaluate<string>('document.activeElement?.id || document.activeElement?.tagName || ""'))
    }
    for (const name of ['files', 'policy', 'time', 'network', 'images', 'SUMMARY', 'BUTTON'])
      expect([...reached]).toContain(name)
  })
})

test('on a phone nothing is wider than the screen', async () => {
  await page.setViewportSize({ width: 360, height: 740 })
  await judgedByPage({ files: { 'quote.bin': vector(good.quote) }, at: good.at })
  await page.getByText('Intel TDX quote', { exact: true }).click()
  expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
})

test('text of a file is never markup', async () => {
  await give({ '<img src=x onerror=alert(1)>.bin': vector(good.quote) })
  await page.getByRole('article').waitFor()
  expect(await page.locator('img').count()).toBe(0)
  expect(await page.getByRole('article').innerText()).toContain('<img src=x onerror=alert(1)>')
})

// For whoever looks at the page after changing it: COCOON_SCREENSHOTS names a folder.
const shots = process.env['COCOON_SCREENSHOTS'] ?? ''
test.runIf(shots !== '').each(['light', 'dark'] as const)(
  'a picture in %s for whoever asked for one',
  async (scheme) => {
    await page.emulateMedia({ colorScheme: scheme })
    await judgedByPage({ files: { 'quote.bin': vector(good.quote) }, at: good.at, images: [imageOf(good.quote)] })
    writeFileSync(join(shots, `verify-${scheme}.png`), await page.screenshot({ fullPage: true }))
    await give({ 'quote.bin': vector(outdated.quote) })
    await page.getByText('Refused:').waitFor()
    writeFileSync(join(shots, `verify-refused-${scheme}.png`), await page.screenshot({ fullPage: true }))
  },
)
