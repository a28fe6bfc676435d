/**
 * Damaged NVIDIA evidence and event logs: no bit of what is signed may change and still verify, and no bytes may upset a
 * parser.
 */
import { parseEventLog } from '../../src/tee/quote/eventlog.ts'
import { parseGpuEvidence, parseGpuReport } from '../../src/tee/quote/nvidia.ts'
import { parseManifest } from '../../src/tee/verify/nvidia/manifest.ts'
import { parseDetachedEat } from '../../src/tee/verify/nvidia/remote.ts'
import type { GpuProof } from '../../src/tee/quote/claims.ts'
import { verifyGpu } from '../../src/tee/verify/nvidia/verify.ts'
import { verifyManifest } from '../../src/tee/verify/nvidia/verify-manifest.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { concatBytes } from '../../src/util/index.ts'
import { certificatesIn, lenientGpu, rememberingGood, vectorBytes } from '../support/attestation-vectors.ts'
import { changeAnyhow, damage, flipBit, pick, seededDraw } from '../support/mutations.ts'
import { refusalOf } from '../support/refusals.ts'

const GPUS = ['hopper-535', 'hopper-550', 'hopper-580', 'blackwell-575'] as const
const MANIFESTS = [
  { path: 'gpu/rim/vbios-1010-0200-882-96005e0001.xml', at: '2024-06-22' },
  { path: 'gpu/rim/vbios-g520-0202-885-9600740014.xml', at: '2024-08-24' },
  { path: 'gpu/rim/driver-test.xml', at: '2024-06-26' },
  { path: 'gpu/rim/driver-gh100-550.144.03.xml', at: '2025-12-30' },
] as const
const SIGNATURE_BYTES = 96

/** What is signed by somebody, one kind each. */
export const GPU_REGIONS = ['report', 'signature', 'certificates'] as const
export type GpuRegion = (typeof GPU_REGIONS)[number]

/** Changes a bit of the report, or a certificate in any way, `count` times. Returns how often each code was the answer; throws on a find. */
export async function mutateGpu(seed: number, region: GpuRegion, count: number): Promise<Record<string, number>> {
  const draw = seededDraw(seed)
  const crypto = rememberingGood(nodeVerifyCrypto)
  const proofs: GpuProof[] = GPUS.map((name) => ({
    report: vectorBytes(`gpu/${name}-report.bin`),
    certificates: certificatesIn(`gpu/${name}-chain.pem`),
  }))
  const codes: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const genuine = pick(proofs, i)
    const { report, certificates } = genuine
    const nonce = parseGpuReport(report).spdm.requestNonce
    const end = report.length - SIGNATURE_BYTES
    const changed = draw(certificates.length)
    const proof = {
      report: () => ({ ...genuine, report: flipBit(report, 0, end, draw) }),
      signature: () => ({ ...genuine, report: flipBit(report, end, report.length, draw) }),
      certificates: () => ({
        ...genuine,
        certificates: certificates.map((one, at) => (at === changed ? changeAnyhow(one, draw) : one)),
      }),
    }[region]()
    const result = await verifyGpu(
      proof,
      { driverManifest: null, vbiosManifest: null, answers: [] },
      lenientGpu(nonce),
      {
        crypto,
        nowMs: Date.parse('2026-01-01'),
      },
    )
    if (result.ok) throw new Error(`seed ${seed}, ${region}: mutation ${i} verifies`)
    codes[result.code] = (codes[result.code] ?? 0) + 1
  }
  return codes
}

/**
 * Changes manifests in any way, anywhere. Canonical XML is many texts for one content, so a changed one may verify (a space that
 * became a line break between two attributes); it must then say exactly what the published one says.
 */
export async function mutateManifests(
  seed: number,
  count: number,
): Promise<{ readonly refused: Record<string, number>; readonly sameContent: number }> {
  const draw = seededDraw(seed)
  const crypto = rememberingGood(nodeVerifyCrypto)
  const refused: Record<string, number> = {}
  let sameContent = 0
  const all = MANIFESTS.map(({ path, at }) => {
    const bytes = vectorBytes(path)
    return { bytes, nowMs: Date.parse(at), parsed: parseManifest(bytes) }
  })
  for (let i = 0; i < count; i++) {
    const { bytes, nowMs, parsed } = pick(all, i)
    const mutated = changeAnyhow(bytes, draw)
    const result = await verifyManifest('driver', mutated, { crypto, nowMs })
    if (!result.ok) refused[result.code] = (refused[result.code] ?? 0) + 1
    else if (JSON.stringify(result.facts.manifest) === JSON.stringify(parsed.manifest)) sameContent++
    else throw new Error(`seed ${seed}: manifest mutation ${i} verifies and says something else`)
  }
  return { refused, sameContent }
}

export const FUZZED_PARSERS = ['gpu-report', 'manifest', 'event-log', 'evidence-json', 'detached-eat'] as const

/** Damaged input is refused with a code and an offset, or parses. Returns how many parsed. */
export function fuzzGpuParser(seed: number, which: (typeof FUZZED_PARSERS)[number], count: number): number {
  const draw = seededDraw(seed)
  const { samples, parse } = {
    'gpu-report': () => ({ samples: GPUS.map((name) => vectorBytes(`gpu/${name}-report.bin`)), parse: parseGpuReport }),
    manifest: () => ({ samples: MANIFESTS.map(({ path }) => vectorBytes(path)), parse: parseManifest }),
    // The used part, and a little of what fills the rest of the area.
    'event-log': () => {
      const used = vectorBytes('eventlog/cos113.ccel').subarray(0, 18_101)
      return { samples: [used, concatBytes(used.subarray(0, -4), new Uint8Array(64))], parse: parseEventLog }
    },
    'evidence-json': () => ({
      samples: [vectorBytes('gpu/hopper-590-evidence.json')],
      parse: (bytes: Uint8Array) => parseGpuEvidence(latin1(bytes)),
    }),
    'detached-eat': () => ({
      samples: [vectorBytes('gpu/nras-hopper-detached-eat.json')],
      parse: (bytes: Uint8Array) => parseDetachedEat(latin1(bytes)),
    }),
  }[which]()
  let parsed = 0
  for (let i = 0; i < count; i++) {
    const bytes = damage(pick(samples, draw(samples.length)), draw)
    if (refusalOf(() => parse(bytes), bytes) === null) parsed++
  }
  return parsed
}

const latin1 = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)
