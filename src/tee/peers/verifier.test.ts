import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { certificateOf, createTestPlatform } from '../../../test/support/attested-peers.ts'
import { DAY_MS, NOW_MS, pem as chainPem, SERIALS, type WorldParts } from '../../../test/support/dcap-maker.ts'
import { AT, createTestGuest, type GuestChanges } from '../../../test/support/snp-guest.ts'
import { TEST_NOW_MS } from '../../../test/support/test-pki.ts'
import { CocoonError, manualClock, silentLog, utf8 } from '../../util/index.ts'
import { type CollateralBundle, collateralItem, EMPTY_BUNDLE } from '../collateral/index.ts'
import { BUILT_IN_POLICIES, type Policy } from '../policy/index.ts'
import { createIdentity } from '../ratls/identity.ts'
import { certify, createNodeKey } from '../ratls/create.ts'
import { readPem } from '../x509/index.ts'
import type { EvidenceSource } from '../source/source.ts'
import { type CollateralSupply, fixedCollateral } from './collateral-supply.ts'
import { createPeerVerifier, type JudgedPeer, type PeerVerifier, type PeerVerifierOptions } from './verifier.ts'

const { mainnet, devnet } = BUILT_IN_POLICIES
const HOUR_MS = 3_600_000
const platform = createTestPlatform()
const good = platform.bundle()
const asking = { remote: '10.0.0.1:9', signal: new AbortController().signal }
let certificate: Uint8Array

beforeAll(async () => {
  certificate = await certificateOf(platform.source(), manualClock(NOW_MS))
})

/** A world that a test can change under the verifier. */
function createWorld(options: Partial<PeerVerifierOptions> = {}) {
  const clock = manualClock(NOW_MS)
  let bundle: CollateralBundle = good
  let allowed: () => ReadonlySet<string> = () => new Set([platform.imageHash])
  const listeners = { collateral: new Set<() => void>(), images: new Set<() => void>() }
  const listen = (to: Set<() => void>) => (listener: () => void) => {
    to.add(listener)
    return () => to.delete(listener)
  }
  const tell = (to: Set<() => void>): void => to.forEach((listener) => listener())
  let supply: CollateralSupply['supply'] = () => null
  const verifier = createPeerVerifier(
    {
      clock,
      log: silentLog,
      collateral: {
        current: () => bundle,
        supply: (wants, nowMs) => supply(wants, nowMs),
        subscribe: listen(listeners.collateral),
      },
      images: { current: () => allowed(), subscribe: listen(listeners.images) },
    },
    { policy: mainnet, networkEvidence: 'real', testRoots: { intel: platform.rootKey }, ...options },
  )
  return {
    clock,
    verifier,
    judge: async (der = certificate): Promise<JudgedPeer> => verifier.verify(der, 'client', clock.now(), asking),
    publish(next: CollateralBundle) {
      bundle = next
      tell(listeners.collateral)
    },
    allow(next: () => ReadonlySet<string>) {
      allowed = next
      tell(listeners.images)
    },
    supplyWith(next: CollateralSupply['supply'], before: CollateralBundle) {
      bundle = before
      supply = next
    },
  }
}

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'accepted',
    (error: unknown) => (error as CocoonError).code,
  )

/** Resolves with the reason when an open connection loses its verdict. */
const lossOf = (peer: JudgedPeer): Promise<CocoonError> => new Promise((resolve) => void peer.standing.onLost(resolve))
const isLost = async (loss: Promise<CocoonError>): Promise<boolean> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  return Promise.race([loss.then(() => true), Promise.resolve(false)])
}

describe('a peer', () => {
  test('with good evidence is verified, and shown with every check', async () => {
    const { judge, verifier } = createWorld()
    const peer = await judge()
    expect(peer.evidence).toBe('verified')
    expect(Buffer.from(peer.imageHash ?? []).toString('hex')).toBe(platform.imageHash)
    expect(peer.assessment.groups.map((group) => group.title)).toEqual([
      'Certificate',
      'Intel TDX quote',
      'Policy mainnet',
    ])
    expect(verifier.status()).toMatchObject({
      allowedImages: 1,
      accepted: [{ remote: '10.0.0.1:9', evidence: 'verified', code: null, times: 1 }],
      refused: [],
    })
  })

  test('that comes back is judged at once, and asked of the registry again', async () => {
    const { judge, verifier, clock, allow } = createWorld()
    await judge()
    const again = verifier.verify(certificate, 'client', clock.now(), asking)
    expect(again).not.toBeInstanceOf(Promise)
    expect(verifier.status().memory).toEqual({ entries: 1, hits: 1, misses: 1 })
    allow(() => new Set(['ab'.repeat(32)]))
    expect(() => verifier.verify(certificate, 'client', clock.now(), asking)).toThrowError(
      expect.objectContaining({ code: 'attestation.image-hash' }),
    )
  })

  test('with the same certificate twice at the same time is examined once', async () => {
    const { judge, verifier } = createWorld()
    const peers = await Promise.all([judge(), judge(), judge()])
    expect(peers.map((peer) => peer.evidence)).toEqual(['verified', 'verified', 'verified'])
    expect(verifier.status().memory.entries).toBe(1)
    expect(verifier.status().accepted).toMatchObject([{ times: 3 }])
  })

  const cases: readonly (readonly [string, Partial<WorldParts>, string])[] = [
    ['with another measurement', { registers: [9, 0, 0, 0, 2, 3, 4, 5] }, 'image-hash'],
    ['that can be debugged', { tdAttributes: Uint8Array.of(1, 0, 0, 0x10, 0, 0, 0, 0) }, 'debug'],
    ['whose guest may be migrated', { tdAttributes: Uint8Array.of(0, 0, 0, 0x30, 0, 0, 0, 0) }, 'td-attributes'],
    [
      'on outdated firmware',
      { platform: { fmspc: '00A0B1C2D3E4', pceId: '0000', components: Array<number>(16).fill(2), pceSvn: 11 } },
      'tcb-status',
    ],
    ['whose PCK is revoked', { leaf: { serial: 0x77 } }, 'pck-revoked'],
  ]
  test.each(cases)('%s is refused, and the reason is kept', async (_, wrong, code) => {
    const { judge, verifier, clock } = createWorld()
    const der = await certificateOf(platform.source(wrong), clock)
    expect(await codeOf(judge(der))).toBe(`attestation.${code}`)
    const [record] = verifier.status().refused
    expect(record).toMatchObject({ evidence: 'refused', code: `attestation.${code}`, wasOpen: false, times: 1 })
    expect(record?.assessment.groups.flatMap((group) => group.checks).some((c) => c.outcome === 'failed')).toBe(true)
  })

  test('of a maker that nobody pinned is refused', async () => {
    const { judge, clock } = createWorld()
    expect(await codeOf(judge(await certificateOf(createTestPlatform().source(), clock)))).toBe(
      'attestation.pck-root-untrusted',
    )
  })

  test('with evidence that was made for another key is refused, also when that evidence is remembered', async () => {
    const { judge, clock } = createWorld()
    const own = createNodeKey((count) => new Uint8Array(count).fill(1))
    const other = createNodeKey((count) => new Uint8Array(count).fill(2))
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(3)
    const signal = new AbortController().signal
    const evidence = await platform.source().quote(other.reportData, signal)
    const certificateFor = (key: typeof own): Uint8Array =>
      readPem(certify(key, evidence, clock.now(), random).certificatePem)[0] as Uint8Array
    expect((await judge(certificateFor(other))).evidence).toBe('verified')
    expect(await codeOf(judge(certificateFor(own)))).toBe('attestation.report-data')
  })

  test.each(['simulated', 'none'] as const)('with %s evidence is refused where evidence is real', async (evidence) => {
    const { judge, clock } = createWorld()
    const { certificatePem } = createIdentity({ evidence, clock }).current()
    const expected = evidence === 'simulated' ? 'simulated-not-accepted' : 'quote-required'
    expect(await codeOf(judge(readPem(certificatePem)[0]))).toBe(`attestation.${expected}`)
  })

  test('with simulated evidence is simulated, never verified, where the network says so, and real evidence is not wanted', async () => {
    const { judge, clock } = createWorld({ policy: devnet, networkEvidence: 'simulated' })
    const { certificatePem } = createIdentity({ evidence: 'simulated', clock }).current()
    expect((await judge(readPem(certificatePem)[0])).evidence).toBe('simulated')
    expect(await codeOf(judge())).toBe('attestation.kind-not-accepted')
  })

  test('is refused while the registry has no answer, and kept if it was there before', async () => {
    const { judge, allow } = createWorld()
    const loss = lossOf(await judge())
    allow(() => {
      throw new CocoonError('chain.stale')
    })
    expect(await codeOf(judge())).toBe('chain.stale')
    expect(await isLost(loss)).toBe(false)
  })

  test('whose collateral is not there waits for it, and is refused when it does not come', async () => {
    const { judge, publish, supplyWith, clock } = createWorld()
    const asked: string[][] = []
    const fetching = Promise.withResolvers<void>()
    supplyWith((wants) => {
      asked.push(wants.map((want) => want.type))
      return fetching.promise
    }, EMPTY_BUNDLE)
    const judged = judge()
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    publish(good)
    fetching.resolve()
    expect((await judged).evidence).toBe('verified')
    expect(asked).toEqual([['intel-tcb-info', 'intel-qe-identity', 'intel-pck-crl', 'intel-root-crl']])

    supplyWith(() => Promise.resolve(), EMPTY_BUNDLE)
    const other = await certificateOf(platform.source(), clock)
    expect(await codeOf(judge(other))).toBe('attestation.collateral-missing')
  })

  test('that names a platform which no root certifies causes no search for collateral', async () => {
    const { judge, supplyWith, clock } = createWorld()
    const asked: number[] = []
    supplyWith((wants) => {
      asked.push(wants.length)
      return null
    }, EMPTY_BUNDLE)
    await codeOf(judge(await certificateOf(createTestPlatform().source(), clock)))
    expect(asked).toEqual([])
    await codeOf(judge())
    expect(asked).toEqual([4])
  })

  test('that gives up while it is judged gets no verdict', async () => {
    const { verifier, clock, supplyWith } = createWorld()
    supplyWith(() => new Promise(() => undefined), EMPTY_BUNDLE)
    const stop = new AbortController()
    const judged = verifier.verify(certificate, 'client', clock.now(), { remote: 'x', signal: stop.signal })
    stop.abort(new CocoonError('protocol.lost'))
    await expect(judged).rejects.toMatchObject({ code: 'protocol.lost' })
  })
})

describe('an open connection', () => {
  test('stays when collateral is renewed and nothing gets worse', async () => {
    const { judge, publish } = createWorld()
    const loss = lossOf(await judge())
    publish(platform.bundle())
    expect(await isLost(loss)).toBe(false)
  })

  test('is closed when its platform is revoked', async () => {
    const { judge, publish, verifier } = createWorld()
    const loss = lossOf(await judge())
    publish(platform.bundle({ pckCrl: { revoked: [SERIALS.leaf] } }))
    expect(await loss).toMatchObject({ code: 'attestation.pck-revoked', message: expect.stringContaining('revoked') })
    expect(verifier.status().refused).toMatchObject([{ code: 'attestation.pck-revoked', wasOpen: true }])
    expect(verifier.status().accepted).toEqual([])
  })

  test('is closed when the registry no longer allows its image', async () => {
    const { judge, allow } = createWorld()
    const loss = lossOf(await judge())
    allow(() => new Set())
    expect((await loss).code).toBe('attestation.image-hash-list-empty')
  })

  test('is closed when the registry changed between verdict and opening', async () => {
    const { judge, allow } = createWorld()
    const peer = await judge()
    allow(() => new Set())
    expect((await lossOf(peer)).code).toBe('attestation.image-hash-list-empty')
  })

  test('is closed at the end of its certificate, not before, and says so', async () => {
    const { judge, clock } = createWorld()
    const loss = lossOf(await judge())
    for (let hour = 0; hour < 22; hour++) {
      clock.advance(HOUR_MS)
      expect(await isLost(loss)).toBe(false)
    }
    clock.advance(HOUR_MS)
    expect((await loss).code).toBe('attestation.certificate-expired')
  })

  test('is closed when the collateral behind it ends and no newer has come', async () => {
    const { judge, clock, publish } = createWorld()
    publish(
      platform.bundle({
        tcbInfo: {
          issueDate: new Date(NOW_MS - DAY_MS).toISOString().replace('.000', ''),
          nextUpdate: new Date(NOW_MS + 2 * HOUR_MS).toISOString().replace('.000', ''),
        },
      }),
    )
    const loss = lossOf(await judge())
    clock.advance(2 * HOUR_MS)
    expect(await isLost(loss)).toBe(false)
    clock.advance(1001)
    expect((await loss).code).toBe('attestation.tcb-info-expired')
  })

  test('that is gone is not looked at again', async () => {
    const { judge, allow } = createWorld()
    const peer = await judge()
    const lost: CocoonError[] = []
    peer.standing.onLost((why) => lost.push(why))()
    allow(() => new Set())
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(lost).toEqual([])
  })
})

describe('a peer on AMD’s hardware', () => {
  const makeGuest = createTestGuest()
  const policy: Policy = {
    ...mainnet,
    name: 'milan',
    sevSnp: {
      minTcb: { Milan: { bootLoader: 3, tee: 0, snp: 8, microcode: 0xd1 }, Genoa: 'refuse', Turin: 'refuse' },
      vmpl: 0,
      migrationAgent: 'refuse',
      revocationList: 'required',
      platform: [],
    },
  }
  /** A certificate as such a guest makes it, and a verifier that knows its maker. */
  async function world(chipCertificate: 'shown' | 'fetched', changes: GuestChanges = {}) {
    const clock = manualClock(TEST_NOW_MS)
    const quoted = Promise.withResolvers<ReturnType<typeof makeGuest>>()
    const source: EvidenceSource = {
      kind: 'sev-snp',
      description: 'a guest of the tests',
      quote(reportData) {
        const guest = makeGuest({
          ...changes,
          patch(report) {
            report.set(reportData, 0x50)
            changes.patch?.(report)
          },
        })
        quoted.resolve(guest)
        const { report, leaf } = guest.evidence
        return Promise.resolve({ kind: 'sev-snp', report, chipCertificate: chipCertificate === 'shown' ? leaf : null })
      },
    }
    const der = await certificateOf(source, clock)
    const { collateral, roots, evidence } = await quoted.promise
    const items = [
      collateralItem({ type: 'amd-chain', body: utf8(chainPem(collateral.intermediate, collateral.root)) }),
      collateralItem({ type: 'amd-crl', body: collateral.crl as Uint8Array }),
      ...(chipCertificate === 'shown' ? [] : [collateralItem({ type: 'amd-leaf', body: evidence.leaf })]),
    ]
    const imageHash = createHash('sha256')
      .update(Buffer.concat([new Uint8Array(48).fill(7), Buffer.alloc(64)]))
      .digest('hex')
    const verifier = createPeerVerifier(
      {
        clock,
        log: silentLog,
        collateral: fixedCollateral({ madeAtMs: 0, items }),
        images: { current: () => new Set([imageHash]), subscribe: () => () => undefined },
      },
      { policy, networkEvidence: 'real', testRoots: { amd: roots } },
    )
    return Promise.resolve(verifier.verify(der, 'server', clock.now(), asking))
  }

  test.each(['shown', 'fetched'] as const)('is verified, its chip’s certificate being %s', async (how) => {
    const peer = await world(how)
    expect(peer.evidence).toBe('verified')
    expect(peer.assessment.summary).toContain('AMD SEV-SNP')
  })

  test('that can be debugged is refused', async () => {
    const patch = (report: Uint8Array): void => void (report[AT.policy + 2] = (report[AT.policy + 2] as number) | 0x08)
    expect(await codeOf(world('shown', { patch }))).toBe('attestation.debug')
  })
})

test('strangers push out neither each other’s reasons beyond the newest 64 nor anyone who is in use', async () => {
  const { judge, verifier, clock } = createWorld()
  await judge()
  const stranger = createIdentity({ evidence: 'none', clock, renewAfterMs: 0 })
  for (let i = 0; i < 100; i++) await codeOf(judge(readPem(stranger.current().certificatePem)[0]))
  expect([verifier.status().refused.length, verifier.status().accepted.length]).toEqual([64, 1])
})

test('a verifier that is closed watches nothing any more', async () => {
  const {
    judge,
    verifier,
    allow,
  }: { judge: () => Promise<JudgedPeer>; verifier: PeerVerifier; allow: (f: () => ReadonlySet<string>) => void } =
    createWorld()
  const loss = lossOf(await judge())
  verifier.close()
  allow(() => new Set())
  expect(await isLost(loss)).toBe(false)
})
