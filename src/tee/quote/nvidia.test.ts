import { expect, test } from 'vitest'
import { vectorBytes, vectorText } from '../../../test/support/attestation-vectors.ts'
import { concatBytes } from '../../util/index.ts'
import { OPAQUE, parseGpuEvidence, parseGpuReport, vbiosManifestName } from './nvidia.ts'

const report = vectorBytes('gpu/hopper-580-report.bin')
const opaqueLengthAt = report.length - 96 - 435 - 2
const OPAQUE_AT = opaqueLengthAt + 2

const patched = (at: number, ...bytes: readonly number[]): Uint8Array => {
  const copy = report.slice()
  copy.set(bytes, at)
  return copy
}

/** The report with other opaque data. */
function withOpaque(...fields: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const opaque = concatBytes(
    ...fields.map(([type, bytes]) =>
      concatBytes(Uint8Array.of(type & 0xff, type >> 8, bytes.length & 0xff, bytes.length >> 8), bytes),
    ),
  )
  const length = Uint8Array.of(opaque.length & 0xff, opaque.length >> 8)
  return concatBytes(report.subarray(0, opaqueLengthAt), length, opaque, report.subarray(-96))
}

const vbios = [OPAQUE.vbiosVersion, Uint8Array.of(0, 0x5e, 0, 0x96, 1, 0, 0, 0)] as const
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

test.each<[string, Uint8Array, string, string, number]>([
  ['nothing', new Uint8Array(), 'gpu-malformed', 'request.version', 0],
  ['SPDM 1.2', patched(0, 0x12), 'gpu-spdm-version', 'request.version', 0],
  ['another request', patched(1, 0xe1), 'gpu-malformed', 'request.code', 1],
  ['a request without signature', patched(2, 0), 'gpu-malformed', 'request.attributes', 2],
  ['a request for one measurement', patched(3, 1), 'gpu-malformed', 'request.operation', 3],
  ['another slot', patched(36, 1), 'gpu-malformed', 'request.slot', 36],
  ['an answer of another version', patched(37, 0x10), 'gpu-spdm-version', 'response.version', 37],
  ['another answer', patched(38, 0x7f), 'gpu-malformed', 'response.code', 38],
  ['fewer blocks than bytes', patched(41, 63), 'gpu-malformed', 'response.record', 45 + 63 * 55],
  ['more blocks than bytes', patched(41, 65), 'gpu-malformed', 'block.index', 45 + 64 * 55],
  ['a record beyond the end', patched(44, 1), 'gpu-malformed', 'response.record', 45],
  ['a block of index 0', patched(45, 0), 'gpu-malformed', 'block.index', 45],
  ['an index twice', patched(45 + 55, 1), 'gpu-malformed', 'block.index', 45 + 55],
  ['another specification', patched(46, 2), 'gpu-malformed', 'block.specification', 46],
  ['a digest of another size', patched(50, 0x2f), 'gpu-malformed', 'block.valueSize', 50],
  ['opaque data beyond the end', patched(opaqueLengthAt, 0xff, 0xff), 'gpu-malformed', 'response.opaque', OPAQUE_AT],
  ['a byte too few', report.subarray(0, -1), 'gpu-malformed', 'response.signature', report.length - 96],
  ['a byte too many', concatBytes(report, Uint8Array.of(0)), 'gpu-malformed', 'report', report.length],
  ['no VBIOS version', withOpaque(), 'gpu-malformed', 'opaque.vbiosVersion', OPAQUE_AT],
  ['a field twice', withOpaque(vbios, vbios), 'gpu-malformed', 'opaque.type', OPAQUE_AT + 12],
  [
    'half a field',
    withOpaque(vbios).fill(9, OPAQUE_AT + 2, OPAQUE_AT + 3),
    'gpu-malformed',
    'opaque.field',
    OPAQUE_AT + 4,
  ],
  [
    'a switch between states',
    withOpaque(vbios, [OPAQUE.nvdec0, Uint8Array.of(0)]),
    'gpu-malformed',
    'opaque.nvdec0',
    OPAQUE_AT + 16,
  ],
  [
    'an unknown mode',
    withOpaque(vbios, [OPAQUE.featureFlag, Uint8Array.of(3, 0)]),
    'gpu-malformed',
    'opaque.featureFlag',
    OPAQUE_AT + 16,
  ],
  [
    'a short firmware id',
    withOpaque(vbios, [OPAQUE.fwid, new Uint8Array(47)]),
    'gpu-malformed',
    'opaque.fwid',
    OPAQUE_AT + 16,
  ],
  [
    'a driver version that is no text',
    withOpaque(vbios, [OPAQUE.driverVersion, Uint8Array.of(0x80)]),
    'gpu-malformed',
    'opaque.text',
    OPAQUE_AT + 16,
  ],
])('%s is refused with its place', (_, bytes, code, field, offset) => {
  expect(() => parseGpuReport(bytes)).toThrow(
    expect.objectContaining({ code: `attestation.${code}`, info: expect.objectContaining({ field, offset }) }),
  )
})

test('unknown fields are kept; a switch’s VBIOS version is text; what is not stated is null', () => {
  const parsed = parseGpuReport(withOpaque([OPAQUE.vbiosVersion, ascii('96.10.55\0')], [999, Uint8Array.of(7)]))
  expect(parsed).toMatchObject({
    vbiosVersion: '96.10.55',
    driverVersion: null,
    fwid: null,
    feature: null,
    chipSku: null,
  })
  expect(parsed.opaqueByType.get(999)).toEqual(Uint8Array.of(7))
})

test('manifests of switches have names of their own; without its parts there is no name', () => {
  const parts = [
    [OPAQUE.project, ascii('5612\0')],
    [OPAQUE.projectSku, ascii('0002')],
    [OPAQUE.chipSku, ascii('890\0\0')],
  ] as const
  const ofSwitch = parseGpuReport(withOpaque([OPAQUE.vbiosVersion, ascii('96.10.55.00.01\0')], ...parts))
  expect(vbiosManifestName(ofSwitch)).toBe('NV_SWITCH_BIOS_5612_0002_890_9610550001')
  expect(vbiosManifestName(parseGpuReport(withOpaque(vbios)))).toBeNull()
  expect(vbiosManifestName(parseGpuReport(report))).toBe('NV_GPU_VBIOS_1010_0205_862_9600740020')
})

test.each([
  ['single', 0],
  ['multi-gpu', 1],
  ['protected-pcie', 2],
] as const)('the mode %s is read', (feature, value) => {
  expect(parseGpuReport(withOpaque(vbios, [OPAQUE.featureFlag, Uint8Array.of(value, 0)])).feature).toBe(feature)
})

test('the JSON of NVIDIA’s tools is read, and nothing like it', () => {
  const json = vectorText('gpu/hopper-590-evidence.json')
  const [one] = parseGpuEvidence(json)
  expect([one?.architecture, one?.report.length]).toEqual(['HOPPER', 4274])
  const refused = (text: string): void =>
    expect(() => parseGpuEvidence(text)).toThrow(expect.objectContaining({ code: 'attestation.gpu-evidence-format' }))
  const list = JSON.parse(json) as Record<string, unknown>[]
  for (const text of ['', '{}', '[]', '[null]', '[1]', JSON.stringify([{ ...list[0], nonce: '00' }])]) refused(text)
  for (const name of ['arch', 'nonce', 'evidence', 'certificate'])
    for (const value of [undefined, 1, '', '~']) refused(JSON.stringify([{ ...list[0], [name]: value }]))
  refused(JSON.stringify(Array.from({ length: 33 }, () => list[0])))
  refused(' '.repeat(512 * 1024 + 1))
})
