import { Address, beginCell, type TupleItem } from '@ton/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { address, flag, hash, integer, list, parseParams, uint64 } from './params.ts'
import { readStackV2, readStackV3, writeStackV3 } from './stack.ts'

const SOME = new Address(0, Buffer.alloc(32, 0xfb))
const HASH = 'fb'.repeat(32)
const one = <T extends z.ZodType>(schema: T, value: unknown): z.output<T> =>
  (parseParams(z.object({ p: schema }), { p: value }) as { p: z.output<T> }).p
const refused = expect.objectContaining({ code: 'request.devnet-parameter' })

describe('parameters', () => {
  test('an address is taken raw, friendly and in either alphabet', () => {
    const forms = [
      SOME.toRawString(),
      SOME.toRawString().toUpperCase(),
      SOME.toString(),
      SOME.toString({ bounceable: false }),
      SOME.toString({ urlSafe: false }),
      SOME.toString({ testOnly: true }),
    ]
    for (const form of forms) expect(one(address, form).equals(SOME)).toBe(true)
    for (const bad of ['', '0:12', 'EQ', SOME.toString().replace(/.$/, '!'), `7:${HASH}`, 5, null, undefined])
      expect(() => one(address, bad)).toThrow(refused)
  })

  test('a hash is taken in hex and Base64, also where a plus became a blank', () => {
    const base64 = Buffer.from(HASH, 'hex').toString('base64')
    expect(base64).toContain('+')
    const forms = [
      HASH,
      HASH.toUpperCase(),
      `0x${HASH}`,
      base64,
      base64.replaceAll('+', ' '),
      base64.replaceAll('+', '-').replaceAll('/', '_'),
    ]
    for (const form of forms) expect(one(hash, form)).toBe(HASH)
    for (const bad of ['', 'ab', `${HASH}00`, 'z'.repeat(64)]) expect(() => one(hash, bad)).toThrow(refused)
  })

  test('numbers are taken as text and as numbers, within their bounds only', () => {
    expect([one(integer(-1, 5), '-1'), one(integer(-1, 5), 5)]).toEqual([-1, 5])
    expect(one(uint64, '18446744073709551615')).toBe(2n ** 64n - 1n)
    for (const bad of ['6', '-2', '', ' ', '1.5', 'NaN', '1e99', null])
      expect(() => one(integer(-1, 5), bad)).toThrow(refused)
    for (const bad of ['-1', '', '1.5', '0x10', '1'.repeat(21)]) expect(() => one(uint64, bad)).toThrow(refused)
  })

  test('flags and lists are taken as queries and as JSON write them', () => {
    expect(['true', '1', true, 'False', '0', false].map((v) => one(flag, v))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ])
    expect(one(list(integer(0, 9), 3), '1,2')).toEqual([1, 2])
    expect(one(list(integer(0, 9), 3), ['1', '2', '3'])).toEqual([1, 2, 3])
    expect(() => one(list(integer(0, 9), 3), '1,2,3,4')).toThrow(refused)
  })

  test('a refusal names the parameter', () => {
    const schema = z.object({ limit: integer(1, 9) })
    expect(() => parseParams(schema, {})).toThrow(/^limit: missing/)
    expect(() => parseParams(schema, { limit: 10 })).toThrow(/^limit: not an integer from 1 to 9$/)
  })
})

describe('stacks', () => {
  const leaf: fc.Arbitrary<TupleItem> = fc.oneof(
    fc.bigInt({ min: -(2n ** 256n) + 1n, max: 2n ** 256n - 1n }).map((value) => ({ type: 'int' as const, value })),
    fc.nat().map((n) => ({ type: 'cell' as const, cell: beginCell().storeUint(n, 32).endCell() })),
    fc.nat().map((n) => ({ type: 'slice' as const, cell: beginCell().storeUint(n, 32).endCell() })),
  )
  const item = fc.oneof(
    leaf,
    fc.array(leaf, { minLength: 1, maxLength: 4 }).map((items) => ({ type: 'tuple' as const, items })),
  )

  test('what API v3 writes, it reads back as the same', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 5 }), (stack) => {
        const again = readStackV3(writeStackV3(stack) as { type: string; value: unknown }[])
        expect(writeStackV3(again)).toEqual(writeStackV3(stack))
      }),
    )
  })

  test('numbers beyond 257 bits, cells that are none, unknown types and deep nests are refused', () => {
    const bad: [string, unknown][] = [
      ['num', `0x1${'0'.repeat(64)}`],
      ['num', 'seven'],
      ['num', null],
      ['tvm.Cell', 'AAAA'],
      ['cell', {}],
      ['vm', '1'],
    ]
    for (const entry of bad) expect(() => readStackV2([entry])).toThrow(refused)
    let deep: { type: string; value: unknown } = { type: 'num', value: '1' }
    for (let i = 0; i < 50; i++) deep = { type: 'tuple', value: [deep] }
    expect(() => readStackV3([deep])).toThrow(refused)
  })
})
