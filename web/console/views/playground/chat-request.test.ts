import { expect, test } from 'vitest'
import { asCurl, chatBody, PARAMETERS } from './chat-request.ts'

const TURNS = [{ role: 'user', content: 'Hi' }] as const

test('parameters that are empty or no numbers are left to the node', () => {
  const given = { ...PARAMETERS, maxTokens: 'many', temperature: ' ', seed: '-' }
  expect(chatBody('m', TURNS, given)).toEqual({ model: 'm', messages: TURNS })
})

test('a zero is a value', () => {
  const given = { ...PARAMETERS, maxTokens: '', temperature: '0', seed: '0', maxPrice: '0' }
  expect(chatBody('m', TURNS, given)).toMatchObject({ temperature: 0, seed: 0, max_coefficient: 0 })
})

test.each([
  ['0.01', '0.01 TON'],
  ['0.01 TON', '0.01 TON'],
  ['nonsense', 'nonsense'],
])('a cost of "%s" is sent as "%s"', (maxCost, sent) => {
  expect(chatBody('m', TURNS, { ...PARAMETERS, maxCost })['max_cost']).toBe(sent)
})

test('a command for a shell keeps quotes as they are, and has no key', () => {
  const command = asCurl('http://127.0.0.1:1', chatBody('m', [{ role: 'user', content: "it's $HOME" }], PARAMETERS))
  expect(command).toContain(String.raw`it'\''s $HOME`)
  expect(command).toContain('Bearer $COCOON_API_KEY')
})
