import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTon, parseTon } from './money.ts'

test('every amount that is written is read again', () => {
  fc.assert(fc.property(fc.bigInt(0n, 10n ** 18n), (nano) => parseTon(formatTon(nano)) === nano))
})

test.each(['', '1,5', '-1', '1.', '.5', '1e9', '0x10', '1.0000000001', 'Infinity', '12345678901'])(
  '"%s" is no amount',
  (text) => {
    expect(parseTon(text)).toBeNull()
  },
)
