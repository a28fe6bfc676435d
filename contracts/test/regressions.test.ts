import { describe, expect, test } from 'vitest'
import { CLIENT_REGRESSIONS } from './regressions/client.ts'
import { codesWith, editedSources, type Regression } from './regressions/regression.ts'
import { ROOT_REGRESSIONS, WALLET_REGRESSIONS } from './regressions/root-and-wallet.ts'
import { PROXY_REGRESSIONS, WORKER_REGRESSIONS } from './regressions/worker-and-proxy.ts'
import { codeOf } from './support/world.ts'

const ALL: readonly Regression[] = [
  ...CLIENT_REGRESSIONS,
  ...WORKER_REGRESSIONS,
  ...PROXY_REGRESSIONS,
  ...ROOT_REGRESSIONS,
  ...WALLET_REGRESSIONS,
]

describe.each(ALL.map((regression) => [regression.holds, regression] as const))('%s', (_, { edits, scenario }) => {
  test('of the contracts as they are', async () => {
    await scenario(codeOf)
  })

  test('and would be noticed missing', async () => {
    const codes = await codesWith(edits)
    await expect(scenario(codes)).rejects.toThrow(expect.objectContaining({ name: 'AssertionError' }))
  })
})

test('an edit that has lost its place in the sources is an error', () => {
  expect(() => editedSources([{ file: 'client.tolk', from: 'no such line', to: '' }])).toThrow(/0 places/)
  expect(() => editedSources([{ file: 'client.tolk', from: 'assert (', to: '' }])).toThrow(/places instead of one/)
})
