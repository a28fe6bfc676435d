/** A SEV-SNP guest on a chip that exists in tests only: report, leaf, intermediate, root, list. */
import type { SnpCollateral, SnpEvidence } from '../../src/tee/verify/snp/verify.ts'
import type { SnpRoot } from '../../src/tee/verify/snp/roots.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { octetString } from '../../src/tee/x509/der.ts'
import { concatBytes, toHex } from '../../src/util/index.ts'
import {
  authority,
  createTestCertificate,
  createTestCrl,
  createTestKey,
  ia5,
  integer,
  signRaw,
  type TestCertificate,
  type TestCrl,
  type TestExtension,
} from './test-pki.ts'

const ARC = '1.3.6.1.4.1.3704.1'
export const CHIP_ID = Uint8Array.from({ length: 64 }, (_, i) => i + 1)

/** Byte offsets in a report, for `patch`. */
export const AT = {
  version: 0,
  policy: 8,
  vmpl: 0x30,
  flags: 0x48,
  reportedTcb: 0x180,
  cpuid: 0x188,
  chipId: 0x1a0,
  committedTcb: 0x1e0,
}

export interface GuestChanges {
  readonly kind?: 'vcek' | 'vlek'
  /** Applied before the report is signed. */
  readonly patch?: (report: Uint8Array) => void
  readonly leaf?: Partial<TestCertificate>
  /** Replaces extensions of the leaf by their suffix under AMD's arc; null drops one. */
  readonly leafExtensions?: Readonly<Record<string, Uint8Array | null>>
  readonly intermediate?: Partial<TestCertificate>
  readonly crl?: Partial<TestCrl> | 'none'
}

export type TestGuest = (changes?: GuestChanges) => {
  readonly evidence: SnpEvidence
  readonly collateral: SnpCollateral
  readonly roots: readonly SnpRoot[]
}

/** Makes keys once; then each call makes evidence that verifies, but for the changes. */
export function createTestGuest(): TestGuest {
  const [rootKey, intermediateKey, leafKey] = [createTestKey('rsa'), createTestKey('rsa'), createTestKey('p384')]
  const root = createTestCertificate({
    subject: 'ARK-Milan',
    issuer: 'ARK-Milan',
    key: rootKey,
    signer: rootKey,
    serial: Uint8Array.of(1, 0, 0),
    extensions: authority(),
  })
  const roots: SnpRoot[] = [{ product: 'Milan', keyPin: toHex(nodeVerifyCrypto.sha256(rootKey.spki) as Uint8Array) }]
  return ({ kind = 'vcek', patch, leaf, leafExtensions = {}, intermediate, crl } = {}) => {
    const issuer = kind === 'vcek' ? 'SEV-Milan' : 'SEV-VLEK-Milan'
    const values: Record<string, Uint8Array | null> = {
      '1': integer(1),
      '2': ia5('Milan-B0'),
      '3.1': integer(3),
      '3.2': integer(0),
      '3.3': integer(8),
      '3.8': integer(0xd1),
      '4': kind === 'vcek' ? CHIP_ID : null,
      '5': kind === 'vlek' ? ia5('A Cloud') : null,
      ...leafExtensions,
    }
    const extensions: TestExtension[] = Object.entries(values).flatMap(([suffix, value]) =>
      value === null ? [] : [{ oid: `${ARC}.${suffix}`, value }],
    )
    const report = unsignedReport(kind)
    patch?.(report)
    const raw = signRaw(leafKey, report.subarray(0, 0x2a0))
    report.set(raw.slice(0, 48).reverse(), 0x2a0)
    report.set(raw.slice(48).reverse(), 0x2a0 + 72)
    return {
      evidence: {
        report,
        leaf: createTestCertificate({
          subject: kind === 'vcek' ? 'SEV-VCEK' : 'SEV-VLEK',
          issuer,
          key: leafKey,
          signer: intermediateKey,
          extensions,
          ...leaf,
        }),
      },
      collateral: {
        intermediate: createTestCertificate({
          subject: issuer,
          issuer: 'ARK-Milan',
          key: intermediateKey,
          signer: rootKey,
          serial: Uint8Array.of(1, 0, 1),
          extensions: authority(0),
          ...intermediate,
        }),
        root,
        crl: crl === 'none' ? null : createTestCrl({ issuer: 'ARK-Milan', signer: rootKey, ...crl }),
      },
      roots,
    }
  }
}

/** The hardware id as some certificates wrap it. */
export const wrappedChipId = octetString(CHIP_ID)

function unsignedReport(kind: 'vcek' | 'vlek'): Uint8Array {
  const report = new Uint8Array(1184)
  const view = new DataView(report.buffer)
  view.setUint32(AT.version, 3, true)
  view.setBigUint64(AT.policy, 0x3001fn, true)
  view.setUint32(0x34, 1, true)
  view.setUint32(AT.flags, kind === 'vlek' ? (1 << 2) | 2 : 0, true)
  const tcb = Uint8Array.of(3, 0, 0, 0, 0, 0, 8, 0xd1)
  for (const at of [0x38, AT.reportedTcb, AT.committedTcb, 0x1f0]) report.set(tcb, at)
  report.set(Uint8Array.of(0x19, 0x01, 0x01), AT.cpuid)
  if (kind === 'vcek') report.set(CHIP_ID, AT.chipId)
  report.set(concatBytes(new Uint8Array(48).fill(7), new Uint8Array(32).fill(9)), 0x90)
  report.fill(5, 0x50, 0x90)
  return report
}
