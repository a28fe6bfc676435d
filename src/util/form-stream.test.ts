import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concatBytes, type FormPart, parseForm, readFormStream, utf8, writeForm } from './index.ts'

const TYPE = 'multipart/form-data; boundary=XyZ'

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function readAll(bytes: Uint8Array, sizes: readonly number[] = [1]): Promise<readonly FormPart[]> {
  const parts: FormPart[] = []
  await readFormStream(pieces(bytes, sizes), TYPE, (head) => {
    const written: Uint8Array[] = []
    return {
      write: (some) => void written.push(some.slice()),
      end: () => void parts.push({ ...head, value: concatBytes(...written) }),
    }
  })
  return parts
}

test('however a form is cut, the same parts come out as from the whole', async () => {
  const tricky = fc.constantFrom('\r\n--Xy', '\r\n--', '\r', '--XyZ', '\n', 'a', '')
  const text = fc.array(tricky, { maxLength: 6 }).map((texts) => texts.join(''))
  const value = text.filter((one) => !`\r\n${one}`.includes('\r\n--XyZ')).map(utf8)
  const part = fc.record({ name: fc.stringMatching(/^[a-z]{1,9}$/), value })
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), sizes, async (parts, cuts) => {
      const bytes = writeForm({ boundary: 'XyZ', parts })
      expect(await readAll(bytes, cuts)).toEqual(parts)
    }),
  )
})

test('whatever the whole form is refused for, the stream is refused for as well, and the other way round', async () => {
  const piece = fc.constantFrom(
    '--XyZ',
    '\r\n',
    'Content-Disposition: form-data; name="a"',
    '--',
    'x',
    '\r\n\r\n',
    '\r\n--XyZ',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 9 }), fc.integer({ min: 1, max: 30 }), async (texts, size) => {
      const bytes = utf8(texts.join(''))
      const whole = (() => {
        try {
          return parseForm(bytes, TYPE).parts
        } catch (error) {
          return (error as { code: string }).code
        }
      })()
      const streamed = await readAll(bytes, [size]).catch((error: unknown) => (error as { code: string }).code)
      expect(streamed).toEqual(whole)
    }),
    { numRuns: 500 },
  )
})

test('a part larger than all that is held arrives in pieces', async () => {
  const value = new Uint8Array(300_000).fill(0x61)
  let largest = 0
  let total = 0
  await readFormStream(pieces(writeForm({ boundary: 'XyZ', parts: [{ name: 'file', value }] }), [4096]), TYPE, () => ({
    write(bytes) {
      largest = Math.max(largest, bytes.length)
      total += bytes.length
    },
    end() {},
  }))
  expect(total).toBe(value.length)
  expect(largest).toBeLessThan(8192)
})

test('what a sink throws ends the reading', async () => {
  const bytes = writeForm({ boundary: 'XyZ', parts: [{ name: 'file', value: utf8('x') }] })
  await expect(
    readFormStream(pieces(bytes, [9]), TYPE, () => {
      throw new Error('no room')
    }),
  ).rejects.toThrow('no room')
})
