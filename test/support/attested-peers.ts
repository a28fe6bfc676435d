/**
 * Guests on a hardware maker that exists in tests only: one root and one platform, evidence sources with whatever is wrong
 * with them, and the collateral that a vendor would publish about them. Real forms and real signatures throughout.
 */
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { type CollateralBundle, collateralItem, type EvidenceSource, openIdentity } from '../../src/tee/index.ts'
import { type Clock, silentLog, utf8 } from '../../src/util/index.ts'
import { makeWorld, NOW_MS, pem, type World, type WorldParts } from './dcap-maker.ts'

export interface TestPlatform {
  /** X ‖ Y of the root. */
  readonly rootKey: Uint8Array
  /** Of a guest with nothing wrong: SHA-256 over its registers, hex. */
  readonly imageHash: string
  source(wrong?: Partial<WorldParts>): EvidenceSource
  /** What the vendor publishes; `changes` for one that revokes, expires or forgets. */
  bundle(changes?: Partial<WorldParts>): CollateralBundle
  /** With these, another process is the same platform: `quote-command.ts`. */
  readonly keys: World['keys']
}

/** @param basis what all its worlds have in common: another time, keys that exist already */
export function createTestPlatform(basis: Partial<WorldParts> = {}): TestPlatform {
  const first = makeWorld(basis)
  const world = (parts: Partial<WorldParts>): World => makeWorld({ ...basis, keys: first.keys, ...parts })
  return {
    keys: first.keys,
    rootKey: first.rootKey,
    imageHash: imageHashOf(first.quote),
    source: (wrong = {}) => ({
      kind: 'tdx',
      description: 'a platform of the tests',
      quote: (reportData) => Promise.resolve({ kind: 'tdx', quote: world({ reportData, ...wrong }).quote }),
    }),
    bundle: (changes = {}) => bundleOf(world(changes)),
  }
}

function bundleOf({ source, certificates }: World): CollateralBundle {
  const bytes = (part: Uint8Array | string | null): Uint8Array =>
    typeof part === 'string' ? utf8(part) : (part as Uint8Array)
  return {
    madeAtMs: NOW_MS,
    items: [
      collateralItem({
        type: 'intel-tcb-info',
        body: bytes(source.tcbInfo),
        issuerChain: bytes(source.tcbInfoIssuerChain),
      }),
      collateralItem({
        type: 'intel-qe-identity',
        body: bytes(source.qeIdentity),
        issuerChain: bytes(source.qeIdentityIssuerChain),
      }),
      collateralItem({
        type: 'intel-pck-crl',
        body: bytes(source.pckCrl),
        issuerChain: utf8(pem(certificates.ca, certificates.root)),
      }),
      collateralItem({ type: 'intel-root-crl', body: bytes(source.rootCaCrl) }),
    ],
  }
}

/** Registers of a TDX quote of version 4: eight of 48 bytes from MRTD on, then 64 zero bytes. */
function imageHashOf(quote: Uint8Array): string {
  const registers = [quote.subarray(48 + 136, 48 + 136 + 48 * 4), quote.subarray(48 + 328, 48 + 328 + 48 * 4)]
  return createHash('sha256')
    .update(Buffer.concat([...registers, Buffer.alloc(64)]))
    .digest('hex')
}

/** DER of the certificate that a node with this source shows. */
export async function certificateOf(source: EvidenceSource, clock: Clock): Promise<Uint8Array> {
  const identity = await openIdentity({ source, clock, log: silentLog, random: randomBytes })
  identity.close()
  return new Uint8Array(new X509Certificate(identity.current().certificatePem).raw)
}
