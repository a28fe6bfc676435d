/** Measuring from sources, against what hardware said of guests that ran, and against another tool's figures. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  cpuSignatureOf,
  encodeTdHob,
  measureSnp,
  measureSnpHashed,
  OVMF_MENU,
  type SnpSectionKind,
  type SnpVmm,
  type TdxSection,
} from '../../src/tee/measure/index.ts'
import { variableData } from '../../src/tee/measure/launch-event.ts'
import { parseDcapQuote, parseEventLog, parseSnpReport, verifyEventLog } from '../../src/tee/quote/index.ts'
import { verifySnp } from '../../src/tee/verify/snp/index.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { readPem } from '../../src/tee/x509/index.ts'
import { fromHex, toHex, utf8 } from '../../src/util/index.ts'
import { certificatesIn, LENIENT_SNP } from '../support/attestation-vectors.ts'

const at = (name: string): URL => new URL(`../../spec/vectors/measurement/${name}`, import.meta.url)
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(at(name)))
interface Guests {
  readonly tdx: {
    readonly memoryMib: number
    readonly sections: readonly Pick<TdxSection, 'kind' | 'address' | 'memoryBytes'>[]
    readonly events: readonly { readonly rtmr: number; readonly type: number; readonly digest: string }[]
  }
  readonly snp: {
    readonly vcpus: number
    readonly cpu: string
    readonly guestFeatures: number
    readonly firmwareDigest: string
    readonly kernelSha256: string
    readonly initrdSha256: string
    readonly commandLine: string
    readonly kernelHashesAt: number
    readonly resetAddress: number
    readonly sections: readonly { readonly type: number; readonly address: number; readonly bytes: number }[]
  }
}
const guests = JSON.parse(readFileSync(at('guests.json'), 'utf8')) as Guests
const hashes = nodeVerifyCrypto
const SNP_KINDS: Readonly<Record<number, SnpSectionKind>> = {
  1: 'memory',
  2: 'secrets',
  3: 'cpuid',
  4: 'svsm-calling-area',
  16: 'kernel-hashes',
}

test('a guest whose report an AMD chip signed has the launch digest that follows from how it was started', async () => {
  const { snp } = guests
  const measured = await measureSnpHashed(hashes, {
    vmm: 'qemu',
    vcpus: snp.vcpus,
    cpuSignature: cpuSignatureOf(snp.cpu) ?? 0,
    guestFeatures: snp.guestFeatures,
    firmwareDigest: fromHex(snp.firmwareDigest),
    kernelHashesAt: snp.kernelHashesAt,
    resetAddress: snp.resetAddress,
    sections: snp.sections.map(({ type, address, bytes }) => ({
      kind: SNP_KINDS[type] as SnpSectionKind,
      address,
      bytes,
    })),
    kernelHashes: {
      commandLine: await hashes.sha256(utf8(`${snp.commandLine}\0`)),
      initrd: fromHex(snp.initrdSha256),
      kernel: fromHex(snp.kernelSha256),
    },
  })
  const report = bytesOf('snp-guest.report.bin')
  expect(toHex(measured.launchDigest)).toBe(toHex(parseSnpReport(report).measurement))

  const [intermediate, root] = certificatesIn('snp/chain/milan.pem') as [Uint8Array, Uint8Array]
  const [leaf] = readPem(bytesOf('snp-guest.vcek.pem')) as [Uint8Array]
  const verified = await verifySnp({ report, leaf }, { intermediate, root, crl: null }, LENIENT_SNP, {
    crypto: hashes,
    nowMs: Date.parse('2026-06-17T12:00:00Z'),
  })
  expect(verified.checks.filter((check) => check.outcome === 'failed')).toEqual([])
  expect(verified.ok && verified.facts.imageHash).toBe(measured.imageHash)
})

test('the hand-over list of a TDX guest with 2 GiB has the digest that its firmware logged', async () => {
  const { sections, memoryMib, events } = guests.tdx
  const whole = sections.map((one) => ({ ...one, dataAt: 0, dataBytes: 0, isExtended: false, isAddedLater: false }))
  const digest = toHex(await hashes.sha384(encodeTdHob(whole, memoryMib * 2 ** 20)))
  expect(digest).toBe(events.find((event) => event.type === 0x8000000b)?.digest)
  expect(toHex(await hashes.sha384(encodeTdHob(whole, (memoryMib + 1024) * 2 ** 20)))).not.toBe(digest)
})

test('the events of that guest replay to RTMR0 to RTMR2 of its quote', async () => {
  const { body } = parseDcapQuote(bytesOf('tdx-guest.quote.bin'))
  if (body.tee === 'sgx') throw new Error('not a TDX quote')
  const events = guests.tdx.events.map(({ rtmr, type, digest }) => ({
    at: 0,
    register: rtmr + 1,
    type,
    digests: [{ algorithm: 0x0c, digest: fromHex(digest) }],
    data: new Uint8Array(),
  }))
  const log = { digestBytesByAlgorithm: new Map([[0x0c, 48]]), events, end: 'terminator' as const, bytesUsed: 0 }
  const { checks } = await verifyEventLog((bytes) => hashes.sha384(bytes), log, body.report.rtmrs)
  // RTMR3 is extended by software of theirs, which keeps its log elsewhere.
  expect(checks.map(({ outcome }) => outcome)).toEqual(['passed', 'passed', 'passed', 'failed'])
})

const logged = parseEventLog(bytesOf('tdx-direct-boot.ccel')).events.map(({ register, type, digests, data }) => ({
  register,
  type,
  digest: toHex(digests.find(({ algorithm }) => algorithm === 0x0c)?.digest ?? new Uint8Array()),
  data: toHex(data),
}))

test.each([
  ['SecureBoot', '8be4df61-93ca-11d2-aa0d-00e098032b8c'],
  ['PK', '8be4df61-93ca-11d2-aa0d-00e098032b8c'],
  ['KEK', '8be4df61-93ca-11d2-aa0d-00e098032b8c'],
  ['db', 'd719b2cb-3d3a-4596-a3bc-dad00e67656f'],
  ['dbx', 'd719b2cb-3d3a-4596-a3bc-dad00e67656f'],
])('the unset variable %s is logged by real firmware as it is encoded here', async (name, guid) => {
  const data = variableData(guid, name, new Uint8Array())
  expect(logged).toContainEqual({
    register: 1,
    type: 0x80000001,
    digest: toHex(await hashes.sha384(data)),
    data: toHex(data),
  })
})

test.each(OVMF_MENU)('$name of the menu has the digest that real firmware logged', async ({ value }) => {
  const digest = toHex(await hashes.sha384(value))
  expect(logged.filter(({ type }) => type === 0x80000002).map((event) => event.digest)).toContain(digest)
})

/** Digests of virtee/sev-snp-measure for empty kernel and RAM disk. */
const KNOWN: readonly (readonly [string, SnpVmm, number, number, string | null, string])[] = [
  [
    'AmdSev',
    'qemu',
    1,
    0x21,
    'console=ttyS0 loglevel=7',
    '803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977',
  ],
  [
    'AmdSev',
    'qemu',
    1,
    0x1,
    'console=ttyS0 loglevel=7',
    '6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa',
  ],
  [
    'AmdSev',
    'qemu',
    4,
    0x21,
    '',
    '4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942',
  ],
  [
    'AmdSev',
    'qemu',
    4,
    0x1,
    '',
    '5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5',
  ],
  [
    'AmdSev',
    'qemu',
    1,
    0x21,
    null,
    'e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b',
  ],
  [
    'AmdSev',
    'ec2',
    1,
    0x21,
    '',
    '0ce9ccc06bab55eebe8abc234f3df6514883977a68a591b71052498ab52b2f1aa415db338033946ef93aa8278c0d67fb',
  ],
  [
    'AmdSev',
    'gce',
    1,
    0x1,
    '',
    '5da7106cf14cf46b1725ebab123eb9e53bd46a1e9f400cd0c08e7827b04b688ea8b4e403c8404efed4397ea5d5d0722e',
  ],
  [
    'AmdSev',
    'gce',
    4,
    0x1,
    '',
    '5c5debf100fc339f90276e761ee1f1658d08922c3b20e2a2e6c7a6c3370b2452a15a00eae11886a93d6fd1e7ab81e29d',
  ],
  [
    'OvmfX64',
    'qemu',
    1,
    0x21,
    null,
    '28797ae0afaba4005a81e629acebfb59e6687949d6be44007cd5506823b0dd66f146aaae26ff291eed7b493d8a64c385',
  ],
  [
    'OvmfX64',
    'qemu',
    1,
    0x1,
    null,
    'da0296de8193586a5512078dcd719eccecbd87e2b825ad4148c44f665dc87df21e5b49e21523a9ad993afdb6a30b4005',
  ],
]

test.each(KNOWN)(
  '%s on %s, %d vCPUs, features %d, command line %j',
  async (build, vmm, vcpus, guestFeatures, line, expected) => {
    const measured = await measureSnp(hashes, {
      firmware: bytesOf(`ovmf_${build}_suffix.bin`),
      vmm,
      vcpus,
      cpuSignature: cpuSignatureOf('EPYC-v4') ?? 0,
      guestFeatures,
      directBoot: line === null ? null : { kernel: new Uint8Array(), initrd: null, commandLine: line },
    })
    expect(toHex(measured.launchDigest)).toBe(expected)
  },
)

test('firmware without a place for them is refused when hashes of a kernel are to be measured', async () => {
  const measured = measureSnp(hashes, {
    firmware: bytesOf('ovmf_OvmfX64_suffix.bin'),
    vmm: 'qemu',
    vcpus: 1,
    cpuSignature: 0,
    guestFeatures: 1,
    directBoot: { kernel: new Uint8Array(), initrd: null, commandLine: '' },
  })
  await expect(measured).rejects.toMatchObject({ code: 'config.image-firmware' })
})
