import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amdItems, bundleOf, everyIntelItem, nvidiaItems } from '../../../test/support/collateral-vectors.ts'
import { certificatesIn, vectorBytes } from '../../../test/support/attestation-vectors.ts'
import { caseOf, dcapCases, vector } from '../../../test/support/dcap-vectors.ts'
import { parseDcapQuote, parseGpuReport, parseSnpReport } from '../quote/index.ts'
import { parseCertificate } from '../x509/index.ts'
import { type CollateralBundle, EMPTY_BUNDLE, encodeBundle, parseBundle } from './bundle.ts'
import { collateralItem } from './item.ts'
import { selectDcapCollateral, selectGpuCollateral, selectSnpCollateral } from './select.ts'

const everything: CollateralBundle = {
  madeAtMs: Date.parse('2026-07-01T00:00:00Z'),
  items: [...everyIntelItem(), ...amdItems(), ...nvidiaItems()],
}
const REFUSED = expect.objectContaining({ code: 'config.collateral-bundle' })
type Raw = { format: string; madeAt: string; items: Record<string, unknown>[] }
const rawOf = (bundle: CollateralBundle): Raw => JSON.parse(encodeBundle(bundle)) as Raw

describe('a bundle file', () => {
  test('reads back as what was written', () => {
    expect(parseBundle(encodeBundle(everything))).toEqual(everything)
    expect(parseBundle(encodeBundle(EMPTY_BUNDLE))).toEqual(EMPTY_BUNDLE)
  })

  const small = bundleOf(caseOf('tdx/v4-cocoon-reference.bin'))
  const changed = (change: (item: Record<string, unknown>, raw: Raw) => void, at = 0): string => {
    const raw = rawOf(small)
    change(raw.items[at] as Record<string, unknown>, raw)
    return JSON.stringify(raw)
  }
  test.each([
    ['another format', changed((_, raw) => (raw.format = 'cocoon-collateral-2'))],
    ['an unknown field', changed((item) => (item['note'] = ''))],
    ['an unknown type', changed((item) => (item['type'] = 'intel-secret'))],
    [
      'a label that the content does not bear out',
      changed((item) => (item['labels'] = { tee: 'tdx', fmspc: '00'.repeat(6), evaluation: '17' })),
    ],
    ['a label too many', changed((item) => (item['labels'] = { ...(item['labels'] as object), board: 'x' }))],
    ['a longer validity than the content has', changed((item) => (item['validUntil'] = '2099-01-01T00:00:00Z'))],
    ['TCB info without its chain', changed((item) => delete item['issuerChain'])],
    ['a list of the root with a chain', changed((item) => (item['issuerChain'] = 'AAAA'), 3)],
    ['a body that is no Base64', changed((item) => (item['body'] = '!'))],
    ['a body of another type', changed((item, raw) => (item['body'] = raw.items[2]?.['body']))],
    ['a name for what has none', changed((item) => (item['labels'] = { ...(item['labels'] as object), id: 'NV_X' }))],
    ['no JSON', '{'],
    ['nothing', 'null'],
  ])('with %s is refused', (_, text) => {
    expect(() => parseBundle(text)).toThrow(REFUSED)
  })

  test('with any part missing is refused', () => {
    const raw = rawOf(small)
    for (const field of Object.keys(raw)) {
      const { [field as keyof Raw]: _, ...rest } = raw
      expect(() => parseBundle(JSON.stringify(rest))).toThrow(REFUSED)
    }
    for (const field of ['type', 'labels', 'validFrom', 'validUntil', 'body'])
      expect(() => parseBundle(changed((item) => delete item[field]))).toThrow(REFUSED)
  })

  test('with any byte changed throws nothing but its own code', () => {
    const text = encodeBundle(small)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        try {
          parseBundle(text.slice(0, at) + character + text.slice(at + 1))
        } catch (error) {
          expect(error).toEqual(REFUSED)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('selecting for a quote', () => {
  const intel = dcapCases.filter(
    (one) => one.collateral.root.startsWith('collateral/chain/') && one.validFrom !== undefined,
  )

  test.each(intel.map((one) => [one.id, one] as const))(
    '%s: what is valid then, of the highest evaluation',
    (_, one) => {
      const nowMs = Date.parse(one.at)
      const { collateral, missing } = selectDcapCollateral(everything, parseDcapQuote(vector(one.quote)), nowMs)
      expect(missing).toEqual([])
      const chosen = everything.items.filter((item) => [collateral?.tcbInfo, collateral?.pckCrl].includes(item.body))
      expect(chosen).toHaveLength(2)
      for (const { validFromMs, validUntilMs } of chosen) {
        expect(validFromMs).toBeLessThanOrEqual(nowMs)
        expect(validUntilMs).toBeGreaterThanOrEqual(nowMs)
      }
    },
  )

  test('of a time that nothing covers takes the newest, for verification to say "expired"', () => {
    const quote = parseDcapQuote(vector('tdx/v4-cocoon-reference.bin'))
    const { collateral } = selectDcapCollateral(everything, quote, Date.parse('2030-01-01T00:00:00Z'))
    const info = everything.items.find((item) => item.body === collateral?.tcbInfo)
    expect(info?.labels).toEqual({ tee: 'tdx', fmspc: '90c06f000000', evaluation: '18' })
  })

  test('says in words what an empty bundle lacks', () => {
    const quote = parseDcapQuote(vector('tdx/v4-cocoon-reference.bin'))
    const { collateral, missing } = selectDcapCollateral(EMPTY_BUNDLE, quote, 0)
    expect(collateral).toBeNull()
    expect(missing).toHaveLength(4)
    expect(missing[0]).toContain('FMSPC 90c06f000000')
  })
})

describe('selecting for AMD and NVIDIA', () => {
  test.each([
    ['v2-milan-trustee', 'v2-milan-trustee.leaf.der'],
    ['v2-milan-gosevguest', 'v2-milan-gosevguest.leaf.der'],
  ])('%s: the leaf of its chip and firmware', (report, leaf) => {
    const parsed = parseSnpReport(vectorBytes(`snp/${report}.bin`))
    const { collateral, missing } = selectSnpCollateral(everything, parsed, null, Date.parse('2026-01-01T00:00:00Z'))
    expect(collateral?.leaf).toEqual(vectorBytes(`snp/${leaf}`))
    expect(collateral?.crl).toBeNull()
    expect(missing).toEqual(['AMD revocation list of ARK-Milan'])
  })

  test('no leaf for other firmware of the same chip', () => {
    const bytes = vectorBytes('snp/v2-milan-trustee.bin')
    // Reported TCB, microcode.
    bytes[0x187] = (bytes[0x187] as number) ^ 1
    expect(selectSnpCollateral(everything, parseSnpReport(bytes), null, 0).collateral).toBeNull()
  })

  test('manifests by the names that driver, board and VBIOS spell', () => {
    const report = parseGpuReport(vectorBytes('gpu/hopper-535-report.bin'))
    const chain = certificatesIn('gpu/hopper-535-chain.pem').map(parseCertificate)
    const { collateral, missing } = selectGpuCollateral(everything, report, chain, 0)
    expect(collateral?.vbiosManifest).toEqual(vectorBytes('gpu/rim/vbios-1010-0200-882-96005e0001.xml'))
    expect(collateral?.driverManifest).toBeNull()
    expect(missing).toEqual([
      expect.stringMatching(/NV_GPU_DRIVER_GH100_535/),
      ...[/BROM/, /ICA 1/, /Identity/, /Signer/, /L3/, /CA$/].map((name) => expect.stringMatching(name)),
    ])
  })

  test('an item without what it needs is not made', () => {
    const body = vectorBytes('gpu/rim/driver-test.xml')
    expect(() => collateralItem({ type: 'nvidia-manifest', body })).toThrow(
      expect.objectContaining({ code: 'attestation.collateral-missing' }),
    )
    expect(() => collateralItem({ type: 'amd-chain', body: vectorBytes('snp/v2-milan-trustee.leaf.der') })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^attestation\./) }),
    )
  })
})
