import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { vectorBytes } from '../../../test/support/attestation-vectors.ts'
import { amdItems, bundleOf, everyIntelItem, nvidiaItems } from '../../../test/support/collateral-vectors.ts'
import { makeWorld, NOW_MS, type World, type WorldParts } from '../../../test/support/dcap-maker.ts'
import { caseOf, dcapCases, dcapQuotes, vector } from '../../../test/support/dcap-vectors.ts'
import { evidenceJson, itemsOfGpu } from '../../../test/support/gpu-collateral.ts'
import { createTestDevice, NONCE } from '../../../test/support/gpu-device.ts'
import { createTestGuest } from '../../../test/support/snp-guest.ts'
import { TEST_NOW_MS } from '../../../test/support/test-pki.ts'
import { toBase64, toHex, utf8 } from '../../util/index.ts'
import { type CollateralBundle, collateralItem, EMPTY_BUNDLE } from '../collateral/index.ts'
import { BUILT_IN_POLICIES, type Policy } from '../policy/index.ts'
import { extension } from '../ratls/create.ts'
import { OID } from '../ratls/oids.ts'
import { reportDataOf } from '../ratls/verify.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { writePem } from '../x509/pem.ts'
import {
  bitString,
  der,
  explicitTag,
  implicitTag,
  oid,
  sequence,
  TAG,
  unsignedInteger,
  utcTime,
  utf8String,
} from '../x509/der.ts'
import type { Assessment, AssessOptions } from './assessment.ts'
import { assessCertificate } from './certificate.ts'
import { detectEvidence } from './detect.ts'
import { assessEvidence } from './evidence.ts'

const { strict, devnet, mainnet } = BUILT_IN_POLICIES
const everything: CollateralBundle = { madeAtMs: 0, items: [...everyIntelItem(), ...amdItems(), ...nvidiaItems()] }

type Options = Partial<Omit<AssessOptions, 'context'>> & Partial<AssessOptions['context']>

function optionsAt(at: string | number, over: Options = {}): AssessOptions {
  const { nowMs, allowedImageHashes = new Set(), networkEvidence = null, about = 'document', ...rest } = over
  const context = {
    nowMs: nowMs ?? (typeof at === 'number' ? at : Date.parse(at)),
    allowedImageHashes,
    networkEvidence,
    about,
  }
  return { crypto: nodeVerifyCrypto, bundle: everything, policy: strict, eventLog: null, context, ...rest }
}

async function assess(bytes: Uint8Array, options: AssessOptions): Promise<Assessment> {
  const found = detectEvidence(bytes)
  if (found === null) throw new Error('not detected')
  const { form } = found
  return form === 'certificate'
    ? assessCertificate(found.bytes, 'unknown', options)
    : assessEvidence({ ...found, form }, options)
}

const failedIds = ({ groups }: Assessment): string[] =>
  groups.flatMap((group) => group.checks.filter((check) => check.outcome === 'failed').map((check) => check.id))
const imageOf = (quote: string): ReadonlySet<string> => new Set([String(dcapQuotes[quote]?.['cocoonImageHash'])])

describe('what a file holds', () => {
  const quote = vector('tdx/v4-cocoon-reference.bin')
  const report = vectorBytes('snp/v3-genoa-ms.bin')
  const certificate = new Uint8Array(
    readFileSync(new URL('../../../spec/vectors/ratls/reference-simulated-1.der', import.meta.url)),
  )
  test.each([
    ['a quote', quote, 'dcap-quote', 'binary'],
    ['a quote in hex', utf8(`0x${toHex(quote).toUpperCase()}\n`), 'dcap-quote', 'hex'],
    ['a quote in Base64 with lines', utf8(toBase64(quote).replaceAll(/.{76}/g, '$&\r\n')), 'dcap-quote', 'base64'],
    ['a quote of version 3', vector('sgx/v3-00606a-outofdate.bin'), 'dcap-quote', 'binary'],
    ['a report', report, 'snp-report', 'binary'],
    ['a report in hex', utf8(toHex(report)), 'snp-report', 'hex'],
    ['GPU evidence', vectorBytes('gpu/hopper-590-evidence.json'), 'gpu-evidence', 'json'],
    ['a certificate', certificate, 'certificate', 'binary'],
    ['a certificate in PEM', utf8(`\n${writePem(certificate)}`), 'certificate', 'pem'],
    ['an event log', vectorBytes('eventlog/cos113.ccel'), 'event-log', 'binary'],
  ] as const)('%s is recognised', (_, bytes, form, encoding) => {
    expect(detectEvidence(bytes)).toMatchObject({ form, encoding })
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['prose', utf8('This is not evidence of anything. '.repeat(40))],
    ['a chain', vectorBytes('snp/chain/milan.pem')],
    ['a manifest', vectorBytes('gpu/rim/driver-test.xml')],
    ['zeros in Base64', utf8(toBase64(new Uint8Array(10)))],
    ['a huge file', new Uint8Array(9 * 1024 * 1024)],
  ])('%s is not', (_, bytes) => {
    expect(detectEvidence(bytes)).toBeNull()
  })

  test('any bytes are told without an exception', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => void detectEvidence(bytes)))
  })
})

describe('recorded quotes', () => {
  const cases = dcapCases.filter((one) => one.collateral.root.startsWith('collateral/chain/'))

  test.each(cases.map((one) => [one.id, one] as const))(
    '%s: is verified only if up to date, a TDX guest and not debuggable',
    async (_, one) => {
      const result = await assess(
        vector(one.quote),
        optionsAt(one.at, { bundle: bundleOf(one), allowedImageHashes: imageOf(one.quote) }),
      )
      const { tcbStatus, error, policyFlags = [] } = one.expect
      const unwanted = policyFlags.filter((flag) => flag !== 'pks')
      const isGood =
        one.quote.startsWith('tdx/') &&
        tcbStatus === 'UpToDate' &&
        unwanted.length === 0 &&
        !one.id.includes('-eval15-')
      expect([one.id, result.outcome]).toEqual([one.id, isGood ? 'verified' : 'refused'])
      if (error !== undefined) expect(result).toMatchObject({ code: `attestation.${error}`, proven: [] })
      else if (one.quote.startsWith('sgx/')) expect(result.code).toBe('attestation.sgx-not-accepted')
      else if (policyFlags.includes('debug')) expect(result.code).toBe('attestation.debug')
      else if (tcbStatus !== 'UpToDate') expect(failedIds(result)).toContain('policy-tcb-status')
    },
  )

  const reference = caseOf('tdx/v4-cocoon-reference.bin', '2025-10-21')
  const good = (over: Options = {}): AssessOptions =>
    optionsAt(reference.at, { bundle: bundleOf(reference), allowedImageHashes: imageOf(reference.quote), ...over })

  test('an outdated platform is refused with its status in the words', async () => {
    const one = caseOf('tdx/v4-00806f-outofdate.bin', '2025-06-19')
    const result = await assess(vector(one.quote), optionsAt(one.at, { allowedImageHashes: imageOf(one.quote) }))
    expect(result.code).toBe('attestation.tcb-status')
    const check = result.groups.flatMap((g) => g.checks).find((c) => c.id === 'policy-tcb-status')
    expect(check?.detail).toBe('Intel’s status of the platform is OutOfDate; the policy accepts UpToDate.')
    expect(check?.inputs['advisories']).toContain('INTEL-SA-00960')
  })

  test('expired collateral is refused, and so is a bundle without it', async () => {
    const quote = vector(reference.quote)
    const late = await assess(quote, good({ nowMs: Date.parse('2025-12-01T00:00:00Z') }))
    expect(late).toMatchObject({ outcome: 'refused', code: expect.stringMatching(/-expired$/) })
    const none = await assess(quote, good({ bundle: EMPTY_BUNDLE }))
    expect(none).toMatchObject({ outcome: 'refused', code: 'attestation.collateral-missing' })
  })

  test('a changed byte is refused wherever it is, but in what nobody signed', async () => {
    const quote = vector(reference.quote)
    const length = Number(dcapQuotes[reference.quote]?.['quoteLength'])
    for (let at = 5; at < length; at += 97) {
      const changed = Uint8Array.from(quote)
      changed[at] = (changed[at] as number) ^ 0x10
      expect([at, (await assess(changed, good())).outcome]).toEqual([at, 'refused'])
    }
  })

  test('a quote by itself says that it is bound to no key', async () => {
    const result = await assess(vector(reference.quote), good())
    expect(result.outcome).toBe('verified')
    expect(result.notProven[0]).toContain('For which key')
    expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  })

  test('with its event log is verified, with another quote’s log refused', async () => {
    const one = caseOf('tdx/v4-00806f-cos113-with-eventlog.bin', '2025-06-19')
    const eventLog = vectorBytes('eventlog/cos113.ccel')
    const options = optionsAt(one.at, { allowedImageHashes: imageOf(one.quote), eventLog })
    expect((await assess(vector(one.quote), options)).outcome).toBe('verified')
    expect(await assess(vector(reference.quote), good({ eventLog }))).toMatchObject({
      outcome: 'refused',
      code: 'attestation.event-log-mismatch',
    })
    expect((await assess(eventLog, options)).code).toBe('attestation.event-log-alone')
  })
})

describe('reports and GPUs', () => {
  test.each(['v2-milan-trustee', 'v2-milan-gosevguest'])(
    '%s: a genuine report on an old platform is refused by the policy',
    async (name) => {
      const result = await assess(vectorBytes(`snp/${name}.bin`), optionsAt('2026-03-25T12:55:28Z'))
      expect(result.outcome).toBe('refused')
      expect(result.proven).toHaveLength(3)
      expect(failedIds(result)).toEqual(
        expect.arrayContaining(['policy-snp-minimum-tcb', 'policy-snp-revocation-list']),
      )
      expect(failedIds(result).includes('policy-debug')).toBe(name === 'v2-milan-gosevguest')
    },
  )

  const guest = createTestGuest()
  const { evidence, collateral, roots } = guest()
  const snpPolicy: Policy = {
    ...strict,
    sevSnp: {
      minTcb: { Milan: { bootLoader: 3, tee: 0, snp: 8, microcode: 0xd1 }, Genoa: 'refuse', Turin: 'refuse' },
      vmpl: 0,
      migrationAgent: 'refuse',
      revocationList: 'required',
      platform: [],
    },
  }
  const amdBundle: CollateralBundle = {
    madeAtMs: 0,
    items: [
      collateralItem({
        type: 'amd-chain',
        body: utf8(writePem(collateral.intermediate) + writePem(collateral.root)),
      }),
      collateralItem({ type: 'amd-leaf', body: evidence.leaf }),
      collateralItem({ type: 'amd-crl', body: collateral.crl as Uint8Array }),
    ],
  }
  test('a good report is verified once its image is allowed', async () => {
    const options = optionsAt(TEST_NOW_MS, { bundle: amdBundle, policy: snpPolicy, roots: { amd: roots } })
    const first = await assess(evidence.report, options)
    expect(first.code).toBe('attestation.image-hash-list-empty')
    const allowedImageHashes = new Set([String(first.facts['imageHash'])])
    const again = { ...options, context: { ...options.context, allowedImageHashes } }
    expect(await assess(evidence.report, again)).toMatchObject({ outcome: 'verified', code: null })
    const flipped = Uint8Array.from(evidence.report)
    flipped[0x95] = (flipped[0x95] as number) ^ 1
    expect((await assess(flipped, again)).code).toBe('attestation.snp-report-signature')
  })

  test('real GPU evidence is genuine, and refused without manifests unless the policy can do without', async () => {
    const bytes = vectorBytes('gpu/hopper-590-evidence.json')
    const at = '2026-01-01T00:00:00Z'
    expect(await assess(bytes, optionsAt(at))).toMatchObject({
      outcome: 'refused',
      code: 'attestation.gpu-rim-missing',
    })
    const lenient: Policy = { ...strict, gpu: { ...strict.gpu, manifests: 'if-given', revocation: 'if-given' } }
    expect(await assess(bytes, optionsAt(at, { policy: lenient }))).toMatchObject({
      outcome: 'verified',
      evidence: 'gpu',
    })
    const changed = utf8(
      new TextDecoder().decode(bytes).replace('"nonce": "e9', '"nonce": "e8').replace('"nonce":"e9', '"nonce":"e8'),
    )
    expect(await assess(changed, optionsAt(at, { policy: lenient }))).toMatchObject({ code: 'attestation.gpu-nonce' })
  })

  test('a GPU with published firmware is verified under strict', async () => {
    const gpu = await createTestDevice()()
    const json = utf8(evidenceJson([gpu], [NONCE]))
    const options = optionsAt(TEST_NOW_MS, {
      bundle: EMPTY_BUNDLE,
      roots: { nvidiaDevices: gpu.deviceRoots, nvidiaManifests: gpu.manifestRoots },
    })
    const withItems = (...types: readonly string[]): AssessOptions => ({
      ...options,
      bundle: { madeAtMs: 0, items: itemsOfGpu(gpu).filter(({ type }) => types.includes(type)) },
    })
    expect((await assess(json, options)).code).toBe('attestation.gpu-rim-missing')
    expect((await assess(json, withItems('nvidia-ocsp'))).code).toBe('attestation.gpu-rim-missing')
    expect((await assess(json, withItems('nvidia-manifest'))).code).toBe('attestation.gpu-ocsp-missing')
    const full = await assess(json, withItems('nvidia-manifest', 'nvidia-ocsp'))
    expect(failedIds(full)).toEqual([])
    expect(full).toMatchObject({ outcome: 'verified', facts: { chips: 'GH100' } })
  })
})

describe('certificates', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
  const ED25519 = sequence(oid(OID.ed25519))
  const NAME = sequence(der(TAG.set, sequence(oid(OID.commonName), utf8String('localhost'))))
  const NAMES = extension(OID.subjectAltName, false, sequence(der(implicitTag(2), utf8('127.0.0.1'))))

  function certificate(extensions: readonly Uint8Array[], nowMs: number): Uint8Array {
    const tbs = sequence(
      der(explicitTag(0), unsignedInteger(Uint8Array.of(2))),
      unsignedInteger(Uint8Array.of(7)),
      ED25519,
      NAME,
      sequence(utcTime(nowMs - 3_600_000), utcTime(nowMs + 82_800_000)),
      NAME,
      sequence(ED25519, bitString(key)),
      der(explicitTag(3), sequence(...extensions)),
    )
    return sequence(tbs, ED25519, bitString(sign(null, tbs, privateKey)))
  }
  const bundleOfWorld = ({ source }: World): CollateralBundle => {
    const bytes = (part: Uint8Array | string | null): Uint8Array =>
      typeof part === 'string' ? utf8(part) : (part as Uint8Array)
    const issuerChain = bytes(source.tcbInfoIssuerChain)
    return {
      madeAtMs: 0,
      items: [
        collateralItem({ type: 'intel-tcb-info', body: bytes(source.tcbInfo), issuerChain }),
        collateralItem({ type: 'intel-qe-identity', body: bytes(source.qeIdentity), issuerChain }),
        collateralItem({ type: 'intel-pck-crl', body: bytes(source.pckCrl) }),
        collateralItem({ type: 'intel-root-crl', body: bytes(source.rootCaCrl) }),
      ],
    }
  }
  async function peer(parts: Partial<WorldParts>, over: Options = {}): Promise<Assessment> {
    const world = makeWorld(parts)
    const shown = certificate([extension(OID.tdxQuote, true, world.quote), NAMES], NOW_MS)
    const options = optionsAt(NOW_MS, {
      bundle: bundleOfWorld(world),
      roots: { intel: world.rootKey },
      about: 'peer',
      networkEvidence: 'real',
      ...over,
    })
    const first = await assessCertificate(shown, 'server', options)
    const allowedImageHashes = new Set([String(first.facts['imageHash'])])
    return assessCertificate(shown, 'server', { ...options, context: { ...options.context, allowedImageHashes } })
  }
  const ownReportData = { reportData: reportDataOf(key) }

  test('a peer with a quote for its key is verified', async () => {
    const result = await peer(ownReportData)
    expect(failedIds(result)).toEqual([])
    expect(result).toMatchObject({ outcome: 'verified', evidence: 'tdx', facts: { publicKey: toHex(key) } })
    expect(result.proven.at(-1)).toContain('holds the private key')
  })

  test.each([
    ['a quote for another key', {}, {}, 'attestation.report-data'],
    [
      'a debuggable guest',
      { ...ownReportData, tdAttributes: Uint8Array.of(1, 0, 0, 0x10, 0, 0, 0, 0) },
      {},
      'attestation.debug',
    ],
    [
      'attributes that have no name',
      { ...ownReportData, tdAttributes: Uint8Array.of(0, 1, 0, 0x10, 0, 0, 0, 0) },
      {},
      'attestation.td-attributes',
    ],
    ['Intel’s real root', ownReportData, { roots: {} }, 'attestation.root-crl-signature'],
    [
      'devnet’s policy',
      ownReportData,
      { policy: devnet, networkEvidence: 'simulated' as const },
      'attestation.kind-not-accepted',
    ],
  ])('a peer with %s is refused', async (_, parts, over, code) => {
    expect(await peer(parts, over)).toMatchObject({ outcome: 'refused', code })
  })

  test('a certificate without evidence is refused', async () => {
    const result = await assessCertificate(
      certificate([NAMES], NOW_MS),
      'server',
      optionsAt(NOW_MS, { policy: mainnet }),
    )
    expect(result).toMatchObject({ outcome: 'refused', evidence: 'none', code: 'attestation.quote-required' })
  })

  test('a certificate with a SEV-SNP report brings its chip’s certificate along', async () => {
    const guest = createTestGuest()
    const { evidence, collateral, roots } = guest({ patch: (report) => report.set(reportDataOf(key), 0x50) })
    const shown = (reportData: Uint8Array): Uint8Array =>
      certificate(
        [
          extension(OID.sevReportData, true, reportData),
          extension(OID.sevReport, true, evidence.report),
          extension(OID.sevVcek, true, evidence.leaf),
          NAMES,
        ],
        TEST_NOW_MS,
      )
    const items = [
      collateralItem({
        type: 'amd-chain',
        body: utf8(writePem(collateral.intermediate) + writePem(collateral.root)),
      }),
      collateralItem({ type: 'amd-crl', body: collateral.crl as Uint8Array }),
    ]
    const options = optionsAt(TEST_NOW_MS, { bundle: { madeAtMs: 0, items }, roots: { amd: roots }, about: 'peer' })
    const result = await assessCertificate(shown(reportDataOf(key)), 'server', options)
    expect(result.evidence).toBe('sev-snp')
    expect(failedIds(result)).toEqual(expect.arrayContaining(['policy-image-hash', 'policy-snp-minimum-tcb']))
    expect(failedIds(result)).not.toContain('policy-report-data')
    const other = await assessCertificate(shown(new Uint8Array(64)), 'server', options)
    expect(other.code).toBe('attestation.sev-certificate')
  })

  test('a recorded simulated certificate is simulated under devnet on a test network, and refused everywhere else', async () => {
    const der = new Uint8Array(
      readFileSync(new URL('../../../spec/vectors/ratls/reference-simulated-1.der', import.meta.url)),
    )
    const at = '2026-11-21T12:00:00Z'
    const run = (over: Options): Promise<Assessment> => assess(der, optionsAt(at, over))
    expect(await run({ policy: devnet, networkEvidence: 'simulated' })).toMatchObject({
      outcome: 'simulated',
      proven: [],
    })
    expect(await run({ policy: devnet })).toMatchObject({ outcome: 'refused', code: 'attestation.simulated-network' })
    for (const policy of [strict, mainnet])
      expect(await run({ policy, networkEvidence: 'simulated' })).toMatchObject({
        outcome: 'refused',
        evidence: 'simulated',
        code: 'attestation.simulated-not-accepted',
      })
    expect(
      await run({ policy: devnet, networkEvidence: 'simulated', nowMs: Date.parse('2026-12-01T00:00:00Z') }),
    ).toMatchObject({
      code: 'attestation.certificate-expired',
    })
  })
})
