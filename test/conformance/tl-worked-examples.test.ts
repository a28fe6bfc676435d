/** Frames written out by hand, byte for byte, against the values they are said to contain. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decode, encodeInto, sizeOf } from '../../src/tl/index.ts'
import { fromHex, toHex } from '../../src/util/index.ts'
import { boxedFromJson, constructorNamed, type JsonObject } from '../support/tl-json.ts'

interface Example {
  readonly description: string
  readonly origin: string
  /** Absent for a bare object without a frame around it. */
  readonly seqno?: number
  readonly value: JsonObject
  readonly hex: string
}

const examples: readonly Example[] = JSON.parse(
  readFileSync(new URL('../../spec/vectors/tl/worked-examples.json', import.meta.url), 'utf8'),
)

describe.each(examples)('$origin: $description', ({ seqno, value, hex }) => {
  const headerBytes = seqno === undefined ? 0 : 8
  const def = constructorNamed(value._)

  test('the value encodes to exactly these bytes, frame header included', () => {
    const boxed = boxedFromJson(value)
    const size = sizeOf(def, boxed)
    const frame = new Uint8Array(headerBytes + size).fill(0xaa)
    if (seqno !== undefined) {
      const header = new DataView(frame.buffer)
      header.setUint32(0, size, true)
      header.setInt32(4, seqno, true)
    }
    expect(encodeInto(frame, headerBytes, def, boxed)).toBe(frame.length)
    expect(toHex(frame)).toBe(hex)
  })

  test('these bytes decode to the value', () => {
    const frame = fromHex(hex)
    expect(decode(def, frame.subarray(headerBytes))).toEqual(boxedFromJson(value))
  })
})
