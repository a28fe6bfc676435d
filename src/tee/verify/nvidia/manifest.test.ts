import { describe, expect, test } from 'vitest'
import { vectorText } from '../../../../test/support/attestation-vectors.ts'
import { utf8 } from '../../../util/index.ts'
import { parseManifest, parseManifestLabels } from './manifest.ts'

const TEXT = vectorText('gpu/rim/driver-gh100-550.144.03.xml')
/** The first measurement that counts. */
const ACTIVE = /<ns0:Resource [^>]*active="True"[^>]*>/.exec(TEXT)?.[0] ?? ''
const changed = (from: string | RegExp, to: string): Uint8Array => utf8(TEXT.replace(ACTIVE, ACTIVE.replace(from, to)))

describe('a manifest', () => {
  test('of NVIDIA is read as it is known', () => {
    const { manifest, certificates } = parseManifest(utf8(TEXT))
    expect(manifest).toMatchObject({ product: 'GH100', version: '550.144.03' })
    expect(manifest.values).toHaveLength(64)
    expect(manifest.values.map(({ index }) => index)).toEqual(Array.from({ length: 64 }, (_, i) => i))
    expect(manifest.values[35]).toMatchObject({ name: 'Measurement_35', isActive: true })
    expect(manifest.values[35]?.alternatives.map((hex) => hex.slice(0, 4))).toEqual(['909c', '2611', '5af2', 'c096'])
    expect(certificates).toHaveLength(4)
  })

  test('has the same labels and certificates without its values', () => {
    const { manifest, certificates } = parseManifest(utf8(TEXT))
    const { product, version } = manifest
    expect(parseManifestLabels(utf8(TEXT))).toEqual({ product, version, certificates })
  })

  test('says the same in capital digits', () => {
    const capitals = changed(
      /Hash0="[0-9a-f]+/,
      (/Hash0="[0-9a-f]+/.exec(ACTIVE)?.[0] ?? '').toUpperCase().replace('HASH', 'Hash'),
    )
    expect(new TextDecoder().decode(capitals)).not.toBe(TEXT)
    expect(parseManifest(capitals).manifest).toEqual(parseManifest(utf8(TEXT)).manifest)
  })

  test.each([
    ['a number with a leading zero', 'size="48"', 'size="048"', 'size'],
    ['a number of five digits', 'size="48"', 'size="00048"', 'size'],
    ['a number that is none', 'alternatives="1"', 'alternatives="1.0"', 'alternatives'],
    ['no number at all', /index="\d+"/, 'index=""', 'index'],
    ['an index of two bytes', /index="\d+"/, 'index="255"', 'index'],
    ['an index that another value has', /index="\d+"/, 'index="63"', 'Payload'],
    ['no alternative', 'alternatives="1"', 'alternatives="0"', 'Resource'],
    ['more alternatives than stand there', 'alternatives="1"', 'alternatives="2"', 'Hash1'],
    ['fewer alternatives than stand there', ' name=', ' ns2:Hash1="00" name=', 'Resource'],
    ['a digit that is none', /Hash0="./, 'Hash0="g', 'Hash0'],
    ['a digit too few', /Hash0="./, 'Hash0="', 'Hash0'],
    ['a state in another case', 'active="True"', 'active="true"', 'Resource'],
    ['another type', 'type="Measurement"', 'type="Estimate"', 'Resource'],
    ['no name', ' name=', ' title=', 'name'],
    ['a condition that nobody knows', ' name=', ' unless="Tuesday" name=', 'Resource'],
    ['a hash in no namespace', 'ns2:Hash0', 'Hash0', 'Hash0'],
    ['something inside', '/>', '><a/></ns0:Resource>', 'Resource'],
  ])('with a measurement that has %s is refused, for its labels too', (_, from, to, field) => {
    const bytes = changed(from, to)
    expect(new TextDecoder().decode(bytes)).not.toBe(TEXT)
    const refused = expect.objectContaining({
      code: 'attestation.gpu-rim-format',
      info: expect.objectContaining({ field }),
    })
    expect(() => parseManifest(bytes)).toThrow(refused)
    expect(() => parseManifestLabels(bytes)).toThrow(refused)
  })

  test('without anything to compare is refused', () => {
    const bytes = utf8(TEXT.replaceAll('active="True"', 'active="False"'))
    expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: 'attestation.gpu-rim-format' }))
  })
})
