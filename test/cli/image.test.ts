/** `cocoon image` as users run it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { MeasuredImage } from '../../src/tee/measure/index.ts'
import { parseEventLog, replayEventLog } from '../../src/tee/quote/index.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { fromHex, toHex } from '../../src/util/index.ts'
import { vector } from '../support/dcap-vectors.ts'
import { makeFirmware, makeKernel } from '../support/image-maker.ts'
import { type Cocoon, cocoonHome } from '../support/processes.ts'
import { ROOT } from '../support/source-files.ts'

const TDX = {
  firmware: 'OVMF.fd',
  launchOrder: 'by-page',
  memoryMib: 2048,
  acpi: { loader: 'loader', rsdp: 'rsdp', tables: 'tables' },
  secureBoot: 'unset',
  bootVariables: 'ovmf-menu',
  kernel: 'vmlinuz',
  kernelHeader: 'filled-by-qemu',
  initrd: 'initrd',
  commandLine: 'console=ttyS0',
  guest: { configuration: 'spec', debug: false },
  mrConfigId: 'zero',
  mrOwner: 'zero',
  mrOwnerConfig: 'zero',
}
const SNP = {
  firmware: 'OVMF.fd',
  vmm: 'qemu',
  vcpus: 3,
  cpu: 'EPYC-Milan',
  guestFeatures: 1,
  directBoot: { kernel: 'vmlinuz', initrd: 'initrd', commandLine: 'console=ttyS0' },
}

let cocoon: Cocoon
let made = 0
beforeAll(async () => {
  cocoon = await cocoonHome()
})
afterAll(() => cocoon.close())

function imageFolder(manifest: object): string {
  const folder = join(cocoon.home, `image-${made++}`)
  mkdirSync(join(folder, 'spec', 'd'), { recursive: true })
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'OVMF.fd': makeFirmware(),
    vmlinuz: makeKernel(),
    initrd: 'initrd',
    loader: 'loader',
    rsdp: 'rsdp',
    tables: 'tables',
    'spec/a.json': '{}\n',
    'spec/d/b': 'x',
    'image.json': JSON.stringify(manifest),
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}
const manifest = (tdx: object | null, sevSnp: object | null): object => ({
  format: 'cocoon-image-1',
  name: 'test image',
  tdx,
  sevSnp,
})

test('measure prints what other tools compute for the same files, and writes a log that replays', async () => {
  const folder = imageFolder(manifest(TDX, SNP))
  const log = join(folder, 'log.bin')
  const ended = await cocoon.run(['image', 'measure', folder, '--json', '--event-log', log])
  expect(ended).toMatchObject({ status: 0, stderr: '' })
  const [tdx, snp] = (JSON.parse(ended.stdout) as MeasuredImage).guests
  expect(tdx?.registers).toMatchObject({
    mrtd: 'c92bfed14432bb8eedea76c9a447cb5ee0e044714322a736629cf92494ae8329b8afe6d5de5a50223e48e24847657fbb',
    rtmr3: '96b590a66a34bbd397f02b860d84eab6761f29bda6a755ca3301f3a1aeb2fa009c0cb7a39bc49663d393aa35d1ec9dfb',
  })
  expect(snp?.registers).toEqual({
    launchDigest: '09af881e3ebe34bae1c28a9a9088453570dbb2058679b1e0b1b5aef1e2dad3620c1ca7228fba3fd1bb511cfa3d18bb2a',
  })
  const replayed = await replayEventLog(
    (b) => nodeVerifyCrypto.sha384(b),
    parseEventLog(new Uint8Array(readFileSync(log))),
  )
  expect(replayed.slice(0, 3).map(toHex)).toEqual([0, 1, 2].map((i) => tdx?.registers[`rtmr${i}`]))
})

/** A recorded quote with the registers of a measurement: genuine no more, but of this image. */
function quoteOf(registers: Readonly<Record<string, string>>): Uint8Array {
  const quote = vector('tdx/v4-cocoon-reference.bin')
  // Of version 4: behind the header, MRTD stands at 136 and RTMR0 to RTMR3 from 328 on.
  quote.set(fromHex(registers['mrtd'] ?? ''), 48 + 136)
  for (let i = 0; i < 4; i++) quote.set(fromHex(registers[`rtmr${i}`] ?? ''), 48 + 328 + 48 * i)
  return quote
}

test('check compares an image with a quote, and names the first event that differs', async () => {
  const folder = imageFolder(manifest(TDX, null))
  const [log, quote] = [join(folder, 'log.bin'), join(folder, 'quote.bin')]
  const measured = await cocoon.run(['image', 'measure', folder, '--json', '--event-log', log])
  writeFileSync(quote, quoteOf((JSON.parse(measured.stdout) as MeasuredImage).guests[0]?.registers ?? {}))
  const same = await cocoon.run(['image', 'check', folder, quote, '--event-log', log])
  expect(same).toMatchObject({ status: 0, stderr: '' })
  expect(same.stdout.match(/same /g)).toHaveLength(5)

  const other = imageFolder(manifest({ ...TDX, memoryMib: 4096, commandLine: 'quiet' }, null))
  const differs = await cocoon.run(['image', 'check', other, quote, '--event-log', log])
  expect(differs.status).toBe(1)
  expect(differs.stdout).toMatch(/DIFFERS {2}rtmr0[\s\S]*from event 1 on: computed hand-over list/)
  expect(differs.stdout).toMatch(/DIFFERS {2}rtmr2[\s\S]*from event 1 on: computed command line/)
  expect(differs.stdout).toMatch(/same {5}mrtd/)

  const foreign = await cocoon.run([
    'image',
    'check',
    folder,
    quote,
    '--event-log',
    join(ROOT, 'spec/vectors/attestation-snp-gpu/eventlog/cos113.ccel'),
  ])
  expect(foreign.status).toBe(2)
  expect(foreign.stderr).toContain('does not replay to RTMR0')
})

test('explain says which input moved which register, also against a measurement in a file', async () => {
  const before = join(cocoon.home, 'before.json')
  const measured = await cocoon.run(['image', 'measure', imageFolder(manifest(TDX, null)), '--json'])
  writeFileSync(before, measured.stdout)
  const after = imageFolder(manifest({ ...TDX, commandLine: 'console=ttyS0 quiet' }, null))
  const ended = await cocoon.run(['image', 'explain', before, after])
  expect(ended.status).toBe(1)
  expect(ended.stdout).toMatch(
    /rtmr2 moved\n +command line changed\n +commandLine: console=ttyS0 → console=ttyS0 quiet/,
  )
  expect(ended.stdout).not.toMatch(/mrtd moved|rtmr[013] moved/)
  const same = await cocoon.run(['image', 'explain', before, before])
  expect(same.status).toBe(0)
  expect(same.stdout).toContain('the same image hash')
})

test('explain of one image names the inputs behind every part', async () => {
  const ended = await cocoon.run(['image', 'explain', imageFolder(manifest(TDX, null))])
  expect(ended.status).toBe(0)
  expect(ended.stdout).toMatch(/kernel +from kernel, kernelHeader, initrd, memoryMib/)
  expect(ended.stdout).toMatch(/separator +the same everywhere/)
})

test.each([
  ['a field is missing', manifest({ ...TDX, launchOrder: undefined }, null), 'tdx.launchOrder: is missing'],
  ['a field is unknown', manifest({ ...TDX, extra: 1 }, null), 'tdx'],
  ['a path leaves the folder', manifest({ ...TDX, kernel: '../vmlinuz' }, null), 'tdx.kernel: must be a path below'],
  ['a file is not there', manifest({ ...TDX, kernel: 'other' }, null), 'tdx.kernel: cannot read'],
  ['the kernel is none', manifest({ ...TDX, kernel: 'initrd' }, null), 'it is no Linux kernel'],
  ['nothing is described', manifest(null, null), 'describe tdx or sevSnp'],
  ['the processor has no known name', manifest(null, { ...SNP, cpu: 'i486' }), 'sevSnp.cpu'],
])('where %s, the status is 2 and the message names it', async (_, content, words) => {
  const ended = await cocoon.run(['image', 'measure', imageFolder(content)])
  expect(ended.status).toBe(2)
  expect(ended.stderr).toContain(words)
})
