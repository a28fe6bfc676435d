/** Measuring from sources: constants that other tools computed for the same bytes, refusals, and what moves which register. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  FIRMWARE_BYTES,
  makeFirmware,
  makeKernel,
  SNP_SECTIONS,
  TDX_SECTIONS,
} from '../../../test/support/image-maker.ts'
import { toHex, utf8 } from '../../util/index.ts'
import { parseEventLog, replayEventLog } from '../quote/index.ts'
import { nodeVerifyCrypto as hashes } from '../x509/crypto-node.ts'
import { webVerifyCrypto } from '../x509/index.ts'
import {
  authenticodeBytes,
  compareGuests,
  computeMrtd,
  configurationTree,
  cpuSignatureOf,
  describeSnp,
  describeTdx,
  encodeEventLog,
  guestMessages,
  measureSnp,
  measureTdx,
  OVMF_MENU,
  parseSnpFirmware,
  parseTdxFirmware,
  patchLinuxHeader,
  type SnpLaunch,
  type TdxLaunch,
  type TreeEntry,
} from './index.ts'
import { viewOf } from './little-endian.ts'

const GIB = 2 ** 30
const TREE = '68ecc78e52f5a87ef0e86694d64fcc51b86318efd95e9357951a8f8a06aaa384'
const unset = { SecureBoot: null, PK: null, KEK: null, db: null, dbx: null }
const zero = new Uint8Array(48)
const tdx: TdxLaunch = {
  firmware: makeFirmware(),
  launchOrder: 'by-page',
  memoryBytes: 2 * GIB,
  acpi: { loader: utf8('loader'), rsdp: utf8('rsdp'), tables: utf8('tables') },
  secureBoot: unset,
  bootVariables: OVMF_MENU,
  kernel: makeKernel(),
  kernelHeader: 'filled-by-qemu',
  initrd: utf8('initrd'),
  commandLine: 'console=ttyS0',
  guestMessages: guestMessages(TREE, false),
  mrConfigId: zero,
  mrOwner: zero,
  mrOwnerConfig: zero,
}
const snp: SnpLaunch = {
  firmware: makeFirmware(),
  vmm: 'qemu',
  vcpus: 3,
  cpuSignature: cpuSignatureOf('EPYC-Milan') as number,
  guestFeatures: 1,
  directBoot: { kernel: makeKernel(), initrd: utf8('initrd'), commandLine: 'console=ttyS0' },
}

describe('figures of other tools for the same bytes', () => {
  // A script of thirty lines, written from Intel's description of the TDX module.
  test.each([
    ['by-page', 'c92bfed14432bb8eedea76c9a447cb5ee0e044714322a736629cf92494ae8329b8afe6d5de5a50223e48e24847657fbb'],
    ['by-section', '460703557e60c2d36699ef1683f0fbaac2eba18e548280729b63a6925a6c30f2bd0512cd158afd4362095a72377a1170'],
  ] as const)('MRTD, measured %s', async (order, expected) => {
    expect(toHex((await computeMrtd(hashes, parseTdxFirmware(tdx.firmware), order)).mrtd)).toBe(expected)
  })

  test('the launch digest of sev-snp-measure 0.0.13', async () => {
    expect(toHex((await measureSnp(hashes, snp)).launchDigest)).toBe(
      '09af881e3ebe34bae1c28a9a9088453570dbb2058679b1e0b1b5aef1e2dad3620c1ca7228fba3fd1bb511cfa3d18bb2a',
    )
  })

  test('the Authenticode hash of osslsigncode 2.9', async () => {
    expect(toHex(await hashes.sha256(authenticodeBytes(makeKernel())))).toBe(
      '1e568ea1aeb92b0aec8e2cc6fbacdce1572071bf952f4e2f807f9ab6bd7c58a4',
    )
  })

  const file = (name: string, text: string, isExecutable = false): TreeEntry => ({
    kind: 'file',
    name,
    isExecutable,
    bytes: utf8(text),
  })
  const folder = (name: string, ...entries: readonly TreeEntry[]): TreeEntry => ({ kind: 'folder', name, entries })

  test('the identifier that git 2.39 gives a folder, whatever the order of its entries', async () => {
    const entries = [
      folder('a', file('x', 'one')),
      folder('a.b', file('run', '#!/bin/sh\n', true)),
      file('a-c', 'two'),
      folder('e', folder('f', file('g', 'q'))),
      folder('empty'),
      folder('runtime', file('z', 'z')),
    ]
    const known = '8ad94d7822fd0c4df494b648ec0f01d9e0fb4c21074d7b41793d3b46d4217fb9'
    expect(await configurationTree(hashes, entries)).toBe(known)
    expect(await configurationTree(hashes, entries.toReversed())).toBe(known)
  })

  test('the identifier and RTMR3 of the specification’s example', async () => {
    const tree = await configurationTree(hashes, [folder('d', file('b', 'x')), file('a.json', '{}\n')])
    expect(tree).toBe(TREE)
    expect(toHex((await measureTdx(hashes, tdx)).rtmrs[3])).toBe(
      '96b590a66a34bbd397f02b860d84eab6761f29bda6a755ca3301f3a1aeb2fa009c0cb7a39bc49663d393aa35d1ec9dfb',
    )
  })

  test.each([
    ['an ignore file', file('.gitignore', '*')],
    ['a repository', folder('.git', file('HEAD', ''))],
    ['a file above 10 MB', { ...file('big', ''), bytes: new Uint8Array(10_000_001) } as TreeEntry],
  ])('a configuration folder with %s is refused', async (_, entry) => {
    await expect(configurationTree(hashes, [folder('d', entry)])).rejects.toMatchObject({ code: 'config.image-tree' })
  })
})

test('the event log that is written replays to the registers', async () => {
  const { events, rtmrs } = await measureTdx(hashes, tdx)
  const log = parseEventLog(encodeEventLog(events))
  expect(log.events).toHaveLength(events.length)
  expect((await replayEventLog((bytes) => hashes.sha384(bytes), log)).map(toHex)).toEqual(rtmrs.map(toHex))
})

test('WebCrypto and Node measure the same', async () => {
  const web = webVerifyCrypto()
  expect((await measureTdx(web, tdx)).imageHash).toBe((await measureTdx(hashes, tdx)).imageHash)
  expect((await measureSnp(web, snp)).imageHash).toBe((await measureSnp(hashes, snp)).imageHash)
})

describe('which input moves which register', () => {
  const moved = async (change: Partial<TdxLaunch>): Promise<string[]> => {
    const [before, after] = await Promise.all(
      [tdx, { ...tdx, ...change }].map(async (launch) => describeTdx(await measureTdx(hashes, launch), {})),
    )
    if (before === undefined || after === undefined) throw new Error('not measured')
    expect(after.imageHash).not.toBe(before.imageHash)
    return compareGuests(before, after).parts.map(({ register, name }) => `${register} ${name}`)
  }

  test.each<[string, Partial<TdxLaunch>, readonly string[]]>([
    ['memory above 4 GiB', { memoryBytes: 8 * GIB }, ['rtmr0 hand-over list']],
    ['memory below 2.75 GiB', { memoryBytes: 1 * GIB }, ['rtmr0 hand-over list', 'rtmr1 kernel']],
    ['ACPI tables', { acpi: { ...tdx.acpi, tables: utf8('other') } }, ['rtmr0 ACPI tables']],
    ['a platform key', { secureBoot: { ...unset, PK: utf8('key') } }, ['rtmr0 variable PK']],
    ['the kernel', { kernel: makeKernel(0x91) }, ['rtmr1 kernel']],
    ['the header as in the file', { kernelHeader: 'as-in-file' }, ['rtmr1 kernel']],
    ['the command line', { commandLine: 'console=ttyS0 cocoon_debug' }, ['rtmr2 command line']],
    ['an initial RAM disk of the same size', { initrd: utf8('ramdsk') }, ['rtmr2 initial RAM disk']],
    ['no initial RAM disk', { initrd: null }, ['rtmr1 kernel', 'rtmr2 command line', 'rtmr2 initial RAM disk']],
    ['debugging', { guestMessages: guestMessages(TREE, true) }, ['rtmr3 cocoon:cocoon_debug']],
    ['firmware code', { firmware: makeFirmware(0x91) }, ['mrtd bfv at 0xffff4000', 'rtmr0 variable store']],
  ])('%s', async (_, change, expected) => {
    expect(await moved(change)).toEqual(expected)
  })

  test('inputs that differ are named where they moved something, and where they did not', async () => {
    const described = async (launch: TdxLaunch, memoryMib: string, vcpus: string) =>
      describeTdx(await measureTdx(hashes, launch), { memoryMib, vcpus, commandLine: launch.commandLine })
    const difference = compareGuests(
      await described(tdx, '2048', '2'),
      await described({ ...tdx, memoryBytes: 8 * GIB }, '8192', '4'),
    )
    expect(difference).toEqual({
      kind: 'tdx',
      registers: ['rtmr0'],
      parts: [
        {
          register: 'rtmr0',
          name: 'hand-over list',
          change: 'changed',
          because: [{ input: 'memoryMib', before: '2048', after: '8192' }],
        },
      ],
      withoutEffect: ['vcpus'],
    })
  })

  test('of an SEV-SNP guest one more processor is one more part, and the digest is another', async () => {
    const [before, after] = await Promise.all(
      [snp, { ...snp, vcpus: 4 }].map(async (launch) => describeSnp(await measureSnp(hashes, launch), {})),
    )
    if (before === undefined || after === undefined) throw new Error('not measured')
    const difference = compareGuests(before, after)
    expect(difference.registers).toEqual(['launchDigest'])
    expect(difference.parts).toMatchObject([{ name: 'vcpu 3', change: 'added' }])
  })
})

describe('kernels', () => {
  test('the checksum and appended signatures do not count, everything else does', () => {
    const kernel = makeKernel()
    const plain = authenticodeBytes(kernel)
    const signed = new Uint8Array(kernel.length + 64)
    signed.set(kernel)
    signed.fill(7, kernel.length)
    viewOf(signed).setUint32(0x58 + 64, 99, true)
    viewOf(signed).setUint32(0x58 + 112 + 4 * 8, kernel.length, true)
    viewOf(signed).setUint32(0x58 + 112 + 4 * 8 + 4, 64, true)
    expect(toHex(authenticodeBytes(signed))).toBe(toHex(plain))
    fc.assert(
      fc.property(fc.integer({ min: 0x200, max: kernel.length - 1 }), (at) => {
        const other = Uint8Array.from(kernel)
        other[at] = (other[at] as number) ^ 1
        expect(toHex(authenticodeBytes(other))).not.toBe(toHex(plain))
      }),
    )
  })

  test('from 2.75 GiB on QEMU places the initial RAM disk at one address', () => {
    const addressFor = (memoryBytes: number): number =>
      viewOf(patchLinuxHeader(makeKernel(), 0x10_0000, memoryBytes)).getUint32(0x218, true)
    expect(addressFor(2.75 * GIB)).toBe(0x7fed_7000)
    expect(addressFor(64 * GIB)).toBe(0x7fed_7000)
    expect(addressFor(1 * GIB)).toBe(0x3fed_7000)
  })

  test.each([
    ['no kernel', new Uint8Array(0x1000)],
    ['older than protocol 2.12', Uint8Array.from(makeKernel(), (byte, at) => (at === 0x206 ? 0x0b : byte))],
  ])('%s is refused', (_, kernel) => {
    expect(() => patchLinuxHeader(kernel, 0, GIB)).toThrow(expect.objectContaining({ code: 'config.image-kernel' }))
  })

  test('a mutated kernel is hashed or refused with a code', () => {
    const good = makeKernel()
    fc.assert(
      fc.property(fc.nat(0x267), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
        const kernel = good.slice(0, length)
        if (at < length) kernel[at] = byte
        for (const read of [authenticodeBytes, (k: Uint8Array) => patchLinuxHeader(k, 100, GIB)])
          try {
            expect(read(kernel).length).toBeLessThanOrEqual(4 * good.length)
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^config\.image-(?:kernel|input)$/) })
          }
      }),
      { numRuns: 2000 },
    )
  })

  test('a RAM disk larger than the memory is refused, naming it', () => {
    expect(() => patchLinuxHeader(makeKernel(), 2 * GIB, GIB)).toThrow(/initrd/)
  })
})

describe('firmware', () => {
  test('sections come out as they went in', () => {
    expect(parseTdxFirmware(makeFirmware()).sections).toEqual(TDX_SECTIONS)
    expect(parseSnpFirmware(makeFirmware()).sections).toEqual(SNP_SECTIONS)
  })

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /too short/],
    ['another file', new Uint8Array(4096), /no OVMF table/],
    [
      'no hand-over section',
      makeFirmware(
        0,
        TDX_SECTIONS.filter(({ kind }) => kind !== 'td-hob'),
      ),
      /exactly one td-hob/,
    ],
    [
      'content behind the file',
      makeFirmware(
        0,
        TDX_SECTIONS.map((one) => ({ ...one, dataAt: FIRMWARE_BYTES })),
      ),
      /not in the file/,
    ],
    [
      'a section off its page',
      makeFirmware(
        0,
        TDX_SECTIONS.map((one) => ({ ...one, address: one.address + 1 })),
      ),
      /page/,
    ],
  ])('%s is refused', (_, bytes, words) => {
    expect(() => parseTdxFirmware(bytes)).toThrow(expect.objectContaining({ code: 'config.image-firmware' }))
    expect(() => parseTdxFirmware(bytes)).toThrow(words)
  })

  test('mutated firmware is measured or refused with a code, and never takes memory that it does not have', () => {
    const good = makeFirmware()
    fc.assert(
      fc.property(fc.integer({ min: 0xf000, max: FIRMWARE_BYTES - 1 }), fc.nat(255), (at, byte) => {
        const bytes = Uint8Array.from(good)
        bytes[at] = byte
        for (const parse of [parseTdxFirmware, parseSnpFirmware])
          try {
            for (const one of parse(bytes).sections)
              expect('bytes' in one ? one.bytes : one.memoryBytes).toBeLessThanOrEqual(256 * 2 ** 20)
          } catch (error) {
            expect(error).toMatchObject({ code: 'config.image-firmware' })
          }
      }),
      { numRuns: 2000 },
    )
  })

  test('a guest with less memory than the firmware uses is refused', async () => {
    await expect(measureTdx(hashes, { ...tdx, memoryBytes: 4 * 2 ** 20 })).rejects.toThrow(/memoryMib/)
  })
})
