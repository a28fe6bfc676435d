import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { BUILT_IN_POLICIES } from './built-in.ts'
import { SIMULATED_SEV_IMAGE_HASH, SIMULATED_TDX_IMAGE_HASH } from './evidence.ts'
import { explainPolicy } from './explain.ts'
import type { EvidenceFacts, Surroundings } from './facts.ts'
import { judge, type JudgeContext } from './judge.ts'
import { parsePolicy, type Policy, policyHash } from './schema.ts'

const NOW = Date.parse('2026-06-01T12:00:00Z')
const HOUR = 3_600_000
const IMAGE = 'ab'.repeat(32)
const REPORT_DATA = 'cd'.repeat(64)
const { mainnet, strict, devnet } = BUILT_IN_POLICIES
const hashOf = (policy: Policy): Promise<string> => policyHash(nodeVerifyCrypto, policy)

const around: Surroundings = {
  certificate: {
    publicKey: '11'.repeat(32),
    notBeforeMs: NOW - HOUR,
    notAfterMs: NOW + 23 * HOUR,
    expectedReportData: REPORT_DATA,
  },
  gpus: [],
  provider: null,
  region: null,
}
type Tdx = Extract<EvidenceFacts, { kind: 'tdx' }>
const tdx: Tdx = {
  kind: 'tdx',
  ...around,
  imageHash: IMAGE,
  reportData: REPORT_DATA,
  debug: false,
  flags: [],
  tcbStatus: 'UpToDate',
  advisoryIds: [],
  evaluationDataNumber: 20,
  collateralIssuedMs: NOW - 24 * HOUR,
}
const genoa = { fmc: null, bootLoader: 10, tee: 0, snp: 23, microcode: 84 }
const snp: Extract<EvidenceFacts, { kind: 'sev-snp' }> = {
  kind: 'sev-snp',
  ...around,
  imageHash: IMAGE,
  reportData: REPORT_DATA,
  debug: false,
  product: 'Genoa',
  reportedTcb: genoa,
  committedTcb: genoa,
  vmpl: 0,
  migrationAgent: false,
  revocationChecked: true,
  platform: ['alias-check', 'ecc'],
}
const gpu: Surroundings['gpus'][number] = {
  architecture: 'hopper',
  mode: 'single',
  manifestsCompared: true,
  revocationChecked: true,
  boundToKey: true,
}
const simulated: EvidenceFacts = {
  kind: 'simulated',
  ...around,
  imageHash: SIMULATED_TDX_IMAGE_HASH,
  reportData: REPORT_DATA,
}
const real: JudgeContext = {
  nowMs: NOW,
  allowedImageHashes: new Set([IMAGE]),
  networkEvidence: 'real',
  about: 'peer',
}
const test_: JudgeContext = { ...real, networkEvidence: 'simulated' }

const withTdx = (parts: Partial<NonNullable<Policy['tdx']>>): Policy => ({
  ...mainnet,
  tdx: { ...(mainnet.tdx as NonNullable<Policy['tdx']>), ...parts },
})

describe('a policy file', () => {
  test.each(Object.values(BUILT_IN_POLICIES))('$name: reads back as itself, with the same hash', async (policy) => {
    const read = parsePolicy(JSON.stringify(policy, null, 2))
    expect(read).toEqual(policy)
    expect(await hashOf(read)).toBe(await hashOf(policy))
  })

  test('has the same hash in any order of keys and lists, and another for any other decision', async () => {
    const policy = withTdx({ statuses: ['UpToDate', 'SWHardeningNeeded'] })
    const turned = Object.fromEntries(Object.entries(policy).toReversed())
    const tdxTurned = { ...policy.tdx, statuses: ['SWHardeningNeeded', 'UpToDate'] }
    const read = parsePolicy(JSON.stringify({ ...turned, tdx: tdxTurned }))
    expect(await hashOf(read)).toBe(await hashOf(parsePolicy(JSON.stringify(policy))))
    expect(await hashOf({ ...read, maxCertificateAgeHours: 1 })).not.toBe(await hashOf(read))
  })

  test.each(pathsOf(strict).map((path) => [path.join('.'), path] as const))('without %s is not read', (name, path) => {
    const text = JSON.stringify(without(strict, path))
    expect(() => parsePolicy(text)).toThrow(expect.objectContaining({ code: 'config.policy' }))
    if (path.length === 1) expect(() => parsePolicy(text)).toThrow(`${name}: is missing`)
  })

  test.each([
    ['an unknown field', { ...strict, extra: 1 }],
    ['debugging', { ...strict, debug: 'allow' }],
    ['the hash of simulated TDX', { ...strict, images: [SIMULATED_TDX_IMAGE_HASH] }],
    ['the hash of simulated SEV, in capitals', { ...strict, images: [SIMULATED_SEV_IMAGE_HASH.toUpperCase()] }],
    ['a status that revoked platforms have', { ...strict, tdx: { ...strict.tdx, statuses: ['Revoked'] } }],
    ['simulated evidence beside real', { ...strict, simulated: 'on-test-networks' }],
    ['nothing at all accepted', { ...strict, tdx: null, sevSnp: null }],
    ['an image twice', { ...strict, images: [IMAGE, IMAGE] }],
    [
      'a date that is none',
      { ...strict, tdx: { ...strict.tdx, grace: [{ advisory: 'INTEL-SA-00001', until: 'soon' }] } },
    ],
  ])('with %s is not read', (_, content) => {
    expect(() => parsePolicy(JSON.stringify(content))).toThrow(expect.objectContaining({ code: 'config.policy' }))
  })

  test.each(['', '{', 'null', '[]', '"strict"', 'x'.repeat(70_000)])('that is %.10s is not read', (text) => {
    expect(() => parsePolicy(text, 'p.json')).toThrow(expect.objectContaining({ code: 'config.policy' }))
  })

  test('is explained down to its dates and hashes', () => {
    const graced = withTdx({ grace: [{ advisory: 'INTEL-SA-01036', until: '2026-09-01T00:00:00Z' }] })
    const text = explainPolicy({ ...graced, images: [IMAGE], regions: [], providers: ['acme'] }).join('\n')
    expect(text).toContain('INTEL-SA-01036 is tolerated until 2026-09-01T00:00:00Z')
    expect(text).toContain(IMAGE)
    expect(text).toContain('The provider must be acme')
    expect(text).toContain('No region is allowed, so every node is refused.')
  })
})

describe('what a policy accepts', () => {
  test.each([
    ['TDX under mainnet', tdx, mainnet, real, 'verified'],
    ['TDX under strict', tdx, strict, real, 'verified'],
    ['SEV-SNP under strict', snp, strict, real, 'verified'],
    ['TDX with a GPU', { ...tdx, gpus: [gpu] }, strict, real, 'verified'],
    ['simulated under devnet on a test network', simulated, devnet, test_, 'simulated'],
  ] as const)('%s', (_, facts, policy, context, outcome) => {
    expect(judge(facts as EvidenceFacts, policy, context)).toMatchObject({ outcome, code: null })
  })

  test('simulated evidence is never verified, under any policy and network', () => {
    for (const policy of [mainnet, strict, devnet])
      for (const networkEvidence of ['none', 'simulated', 'real', null] as const)
        expect(judge(simulated, policy, { ...real, networkEvidence }).outcome).not.toBe('verified')
  })

  const refusals: readonly (readonly [string, EvidenceFacts | null, Policy, JudgeContext, string])[] = [
    ['no facts', null, mainnet, real, 'facts-malformed'],
    ['no evidence', { kind: 'none', ...around }, mainnet, real, 'quote-required'],
    ['simulated evidence', simulated, mainnet, test_, 'simulated-not-accepted'],
    ['simulated evidence on a real network', simulated, devnet, real, 'simulated-network'],
    ['simulated evidence on no network', simulated, devnet, { ...real, networkEvidence: null }, 'simulated-network'],
    ['real evidence under devnet', tdx, devnet, test_, 'kind-not-accepted'],
    ['TDX where only SNP is', tdx, { ...mainnet, tdx: null }, real, 'kind-not-accepted'],
    ['an enclave', sgxFacts(), mainnet, real, 'sgx-not-accepted'],
    ['a GPU as a peer', { kind: 'gpu', ...around, gpus: [gpu] }, mainnet, real, 'kind-not-accepted'],
    ['a debuggable guest', { ...tdx, debug: true }, mainnet, real, 'debug'],
    ['a debuggable SNP guest', { ...snp, debug: true }, mainnet, real, 'debug'],
    ['another image', { ...tdx, imageHash: 'ef'.repeat(32) }, mainnet, real, 'image-hash'],
    ['an empty registry', tdx, mainnet, { ...real, allowedImageHashes: new Set<string>() }, 'image-hash-list-empty'],
    ['an empty list', tdx, { ...mainnet, images: [] }, real, 'image-hash-list-empty'],
    ['an image that only the registry knows', tdx, { ...mainnet, images: ['ef'.repeat(32)] }, real, 'image-hash'],
    [
      'an outdated platform',
      { ...tdx, tcbStatus: 'OutOfDate', advisoryIds: ['INTEL-SA-01036'] },
      mainnet,
      real,
      'tcb-status',
    ],
    ['an unheard-of status', { ...tdx, tcbStatus: 'Splendid' }, mainnet, real, 'tcb-status'],
    ['old TCB data', { ...tdx, evaluationDataNumber: 16 }, mainnet, real, 'evaluation-number'],
    ['stale TCB data', { ...tdx, collateralIssuedMs: NOW - 31 * 24 * HOUR }, mainnet, real, 'collateral-age'],
    ['a migratable guest', { ...tdx, flags: ['migratable'] }, mainnet, real, 'td-attributes'],
    ['attributes nobody knows', { ...tdx, flags: ['unknown-attributes'] }, mainnet, real, 'td-attributes'],
    ['performance counters under strict', { ...tdx, flags: ['perfmon'] }, strict, real, 'td-attributes'],
    ['Milan', { ...snp, product: 'Milan' }, mainnet, real, 'snp-tcb-too-old'],
    ['old firmware', { ...snp, reportedTcb: { ...genoa, microcode: 83 } }, mainnet, real, 'snp-tcb-too-old'],
    ['firmware that can go back', { ...snp, committedTcb: { ...genoa, snp: 22 } }, mainnet, real, 'snp-tcb-too-old'],
    ['another privilege level', { ...snp, vmpl: 1 }, mainnet, real, 'snp-vmpl'],
    ['a migration agent', { ...snp, migrationAgent: true }, mainnet, real, 'snp-migration'],
    ['unchecked revocation', { ...snp, revocationChecked: false }, mainnet, real, 'snp-crl-missing'],
    ['a missing protection', { ...snp, platform: ['ecc'] }, strict, real, 'snp-platform'],
    ['a peer without a certificate', { ...tdx, certificate: null }, mainnet, real, 'certificate-required'],
    ['another key', { ...tdx, reportData: '00'.repeat(64) }, mainnet, real, 'report-data'],
    ['a GPU that is due', tdx, { ...mainnet, gpu: { ...mainnet.gpu, required: true } }, real, 'gpu-required'],
    ['a switch', { ...tdx, gpus: [{ ...gpu, architecture: 'ls10' }] }, mainnet, real, 'gpu-architecture'],
    ['an unknown chip', { ...tdx, gpus: [gpu, { ...gpu, architecture: null }] }, mainnet, real, 'gpu-architecture'],
    [
      'unknown GPU firmware',
      { ...tdx, gpus: [{ ...gpu, manifestsCompared: false }] },
      mainnet,
      real,
      'gpu-rim-missing',
    ],
    [
      'a GPU for which nobody answered',
      { ...tdx, gpus: [{ ...gpu, revocationChecked: false }] },
      mainnet,
      real,
      'gpu-ocsp-missing',
    ],
    ['somebody else’s GPU', { ...tdx, gpus: [{ ...gpu, boundToKey: false }] }, mainnet, real, 'gpu-nonce'],
    ['a mode', { ...tdx, gpus: [gpu] }, { ...mainnet, gpu: { ...mainnet.gpu, modes: [] } }, real, 'gpu-feature'],
    ['no provider', tdx, { ...mainnet, providers: ['acme'] }, real, 'provider'],
    ['an empty list of regions', { ...tdx, region: 'eu' }, { ...mainnet, regions: [] }, real, 'region'],
    ['a broken policy', tdx, { ...mainnet, gpu: undefined } as unknown as Policy, real, 'policy-unusable'],
  ]
  test.each(refusals)('not %s', (_, facts, policy, context, code) => {
    const decision = judge(facts, policy, context)
    expect(decision).toMatchObject({ outcome: 'refused', code: `attestation.${code}` })
    const failed = decision.checks.filter((check) => check.outcome === 'failed')
    expect(failed.map((check) => check.code)).toContain(`attestation.${code}`)
    expect(new Set(decision.checks.map((check) => check.id)).size).toBe(decision.checks.length)
  })

  test.each([SIMULATED_TDX_IMAGE_HASH, SIMULATED_SEV_IMAGE_HASH])(
    'the image hash %s even when a registry lists it',
    (imageHash) => {
      const context = { ...real, allowedImageHashes: new Set([imageHash]) }
      expect(judge({ ...tdx, imageHash }, mainnet, context).code).toBe('attestation.image-hash-zero')
    },
  )

  test.each([
    ['at its limit', 48 * HOUR, 'verified'],
    ['beyond it', 48 * HOUR + 1, 'refused'],
    ['a little in the future', -5 * 60_000, 'verified'],
    ['further in the future', -5 * 60_000 - 1, 'refused'],
    ['at no time', Number.NaN, 'refused'],
  ])('a certificate %s', (_, ageMs, outcome) => {
    const certificate = {
      ...(around.certificate as NonNullable<Surroundings['certificate']>),
      notBeforeMs: NOW - ageMs,
    }
    expect(judge({ ...tdx, certificate }, mainnet, real).outcome).toBe(outcome)
  })

  test('a document by itself, but says that nothing binds it', () => {
    const decision = judge({ ...tdx, certificate: null }, mainnet, { ...real, about: 'document' })
    expect(decision.outcome).toBe('verified')
    expect(decision.checks.find((check) => check.id === 'policy-certificate')?.outcome).toBe('info')
  })

  test('nothing at a time that is no number', () => {
    expect(judge(tdx, mainnet, { ...real, nowMs: Number.NaN }).outcome).toBe('refused')
  })
})

describe('grace', () => {
  const late = { ...tdx, tcbStatus: 'OutOfDate', advisoryIds: ['INTEL-SA-01036', 'INTEL-SA-01099'] }
  const grace = (...ids: readonly string[]): Policy =>
    withTdx({ grace: ids.map((advisory) => ({ advisory, until: '2026-07-01T00:00:00Z' })) })

  test('covers a platform whose every advisory is named, until its date', () => {
    const policy = grace('INTEL-SA-01036', 'INTEL-SA-01099')
    expect(judge(late, policy, real).outcome).toBe('verified')
    const after = { ...real, nowMs: Date.parse('2026-07-01T00:00:00Z') }
    const fresh = {
      ...late,
      collateralIssuedMs: after.nowMs,
      certificate: { ...around.certificate, notBeforeMs: after.nowMs },
    }
    expect(judge(fresh as EvidenceFacts, policy, after).code).toBe('attestation.tcb-status')
  })

  test.each([
    ['one advisory more', grace('INTEL-SA-01036'), late],
    ['no advisory at all', grace('INTEL-SA-01036'), { ...late, advisoryIds: [] }],
    [
      'a configuration',
      grace('INTEL-SA-01036', 'INTEL-SA-01099'),
      { ...late, tcbStatus: 'OutOfDateConfigurationNeeded' },
    ],
    ['a revoked platform', grace('INTEL-SA-01036', 'INTEL-SA-01099'), { ...late, tcbStatus: 'Revoked' }],
  ])('does not cover %s', (_, policy, facts) => {
    expect(judge(facts, policy, real).code).toBe('attestation.tcb-status')
  })
})

describe('what is missing', () => {
  const goods = [
    { facts: { ...tdx, gpus: [gpu] } as EvidenceFacts, policy: mainnet, context: real },
    { facts: snp as EvidenceFacts, policy: strict, context: real },
    { facts: simulated, policy: devnet, context: test_ },
  ]

  test('refuses, wherever it is missing in the facts', () => {
    for (const { facts, policy, context } of goods)
      for (const path of pathsOf(facts))
        expect([path.join('.'), judge(without(facts, path) as EvidenceFacts, policy, context).outcome]).toEqual([
          path.join('.'),
          'refused',
        ])
  })

  test('refuses, wherever it is missing in the policy', () => {
    for (const { facts, policy, context } of goods)
      for (const path of pathsOf(policy))
        expect([path.join('.'), judge(facts, without(policy, path) as Policy, context).outcome]).toEqual([
          path.join('.'),
          'refused',
        ])
  })

  test('what may still be claimed is not missing yet, and nothing else is spared', () => {
    const policy: Policy = {
      ...mainnet,
      gpu: { ...mainnet.gpu, required: true },
      regions: ['eu'],
      providers: ['cloud'],
    }
    const follow = { ...real, claimsMayFollow: true }
    expect(judge(tdx, policy, real).outcome).toBe('refused')
    expect(judge(tdx, policy, follow).outcome).toBe('verified')
    expect(judge({ ...tdx, region: 'moon' }, policy, follow).code).toBe('attestation.region')
    expect(judge({ ...tdx, gpus: [{ ...gpu, revocationChecked: false }] }, policy, follow).code).toBe(
      'attestation.gpu-ocsp-missing',
    )
    expect(judge({ ...tdx, debug: true }, policy, follow).code).toBe('attestation.debug')
    expect(judge({ kind: 'gpu', ...around, gpus: [] }, policy, { ...follow, about: 'document' }).outcome).toBe(
      'refused',
    )
  })

  const arbitraryFacts = fc.record({
    debug: fc.boolean(),
    imageHash: fc.constantFrom(IMAGE, 'ef'.repeat(32), SIMULATED_TDX_IMAGE_HASH),
    tcbStatus: fc.constantFrom('UpToDate', 'OutOfDate', 'Revoked'),
    flags: fc.subarray(['migratable', 'perfmon', 'pks']),
    evaluationDataNumber: fc.integer({ min: 0, max: 30 }),
    reportData: fc.constantFrom(REPORT_DATA, '00'.repeat(64)),
    gpus: fc.array(
      fc.record({ ...asConstants(gpu), manifestsCompared: fc.boolean(), revocationChecked: fc.boolean() }),
      { maxLength: 2 },
    ),
    region: fc.constantFrom(null, 'eu'),
  })
  const arbitraryPolicy = fc.record({
    images: fc.constantFrom<Policy['images']>('registry', [], [IMAGE]),
    regions: fc.constantFrom<Policy['regions']>('any', [], ['eu']),
    maxCertificateAgeHours: fc.constantFrom(1, 24),
  })

  test('never turns a refusal into anything else', () => {
    fc.assert(
      fc.property(arbitraryFacts, arbitraryPolicy, fc.nat(), fc.boolean(), (some, rules, at, inFacts) => {
        const facts: EvidenceFacts = { ...tdx, ...some }
        const policy: Policy = { ...mainnet, ...rules }
        const before = judge(facts, policy, real).outcome
        const paths = pathsOf(inFacts ? facts : policy)
        const path = paths[at % paths.length] as readonly string[]
        const after = inFacts
          ? judge(without(facts, path) as EvidenceFacts, policy, real).outcome
          : judge(facts, without(policy, path) as Policy, real).outcome
        return before !== 'refused' || after === 'refused'
      }),
      { numRuns: 500 },
    )
  })

  test('and garbage of any shape refuses without an exception', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (facts, policy) => {
        expect(judge(facts as EvidenceFacts, mainnet, real).outcome).toBe('refused')
        expect(judge(tdx, policy as Policy, real).outcome).toBe('refused')
      }),
    )
  })
})

function sgxFacts(): EvidenceFacts {
  return { kind: 'sgx', ...around, imageHash: IMAGE, reportData: REPORT_DATA, debug: false }
}

function asConstants<T extends object>(value: T): { [K in keyof T]: fc.Arbitrary<T[K]> } {
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, fc.constant(one)])) as {
    [K in keyof T]: fc.Arbitrary<T[K]>
  }
}

/** Every field of every object, lists not looked into but for the objects in them. */
function pathsOf(value: unknown, before: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    ...(Array.isArray(value) ? [] : [[...before, name]]),
    ...pathsOf(inner, [...before, name]),
  ])
}

function without(value: object, [first, ...rest]: readonly string[]): object {
  const copy = structuredClone(value) as Record<string, unknown>
  if (first === undefined) return copy
  if (rest.length === 0) delete copy[first]
  else copy[first] = without(copy[first] as object, rest)
  return copy
}
