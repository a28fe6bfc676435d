import { expect, test } from 'vitest'
import { formatAmount, formatCount, formatMoney, formatMs, shortAddress, shortId } from './format.ts'

test.each([
  ['0', '0 nanoTON'],
  ['16', '16 nanoTON'],
  ['999999', '999\u202f999 nanoTON'],
  ['1000000', '0.001 TON'],
  ['2500000000', '2.5 TON'],
  ['1234567000000000', '1\u202f234\u202f567 TON'],
  ['9223372036854775807', '9\u202f223\u202f372\u202f036.854775807 TON'],
])('%s nanoTON is written %s, with every digit', (nano, text) => {
  expect(formatAmount(nano)).toBe(text)
})

test('a currency stands behind the amount where there is a rate', () => {
  expect(formatMoney('2500000000', '7.5 USD')).toBe('2.5 TON (7.5 USD)')
  expect(formatMoney('2500000000', undefined)).toBe('2.5 TON')
})

test('counts are grouped by three', () => {
  expect([formatCount(1), formatCount('123'), formatCount('1234567')]).toEqual(['1', '123', '1\u202f234\u202f567'])
})

test.each([
  [0.4, '0 ms'],
  [85, '85 ms'],
  [1_250, '1.25 s'],
  [185_000, '3 min 5 s'],
])('%d ms is written %s', (ms, text) => {
  expect(formatMs(ms)).toBe(text)
})

test('a long address keeps both its ends, a long id its beginning, and short ones all', () => {
  expect(shortAddress(`UQ${'x'.repeat(40)}abcdef`)).toBe('UQxxxxxx…abcdef')
  expect(shortAddress('127.0.0.1:10000')).toBe('127.0.0.1:10000')
  expect([shortId('0123456789abcdef'), shortId('0123456789ab')]).toEqual(['01234567…', '0123456789ab'])
})
