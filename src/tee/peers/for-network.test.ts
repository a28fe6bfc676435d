import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { manualClock, silentLog } from '../../util/index.ts'
import { EMPTY_BUNDLE } from '../collateral/index.ts'
import { BUILT_IN_POLICIES, type Policy } from '../policy/index.ts'
import { fixedCollateral } from './collateral-supply.ts'
import { createNetworkIdentity, createNetworkVerifier, type NetworkRules } from './for-network.ts'

const { mainnet, strict, devnet } = BUILT_IN_POLICIES
const clock = manualClock()
const deps = {
  clock,
  log: silentLog,
  collateral: fixedCollateral(EMPTY_BUNDLE),
  images: { current: () => new Set<string>(), subscribe: () => () => undefined },
}
const TEST_ROOTS = { intel: '00'.repeat(64) }
const policyOf = (rules: NetworkRules, policy: Policy | null = null): string | undefined =>
  createNetworkVerifier(deps, rules, policy).status()?.policy.name

describe('the policy of a network', () => {
  test.each<[NetworkRules, Policy | null, string | undefined]>([
    [{ evidence: 'real', isTest: false }, null, 'mainnet'],
    [{ evidence: 'real', isTest: true }, null, 'mainnet'],
    [{ evidence: 'real', isTest: false }, strict, 'strict'],
    [{ evidence: 'simulated', isTest: true }, null, 'devnet'],
    [{ evidence: 'none', isTest: true }, null, undefined],
    [{ evidence: 'none', isTest: true }, mainnet, 'mainnet'],
  ])('for %j and what the operator asks for is the stronger of both', (rules, asked, expected) => {
    expect(policyOf(rules, asked)).toBe(expected)
  })

  test.each<[string, NetworkRules, Policy | null, string]>([
    ['simulated evidence on no test network', { evidence: 'simulated', isTest: false }, null, 'config.evidence'],
    ['no evidence on no test network', { evidence: 'none', isTest: false }, null, 'config.evidence'],
    ['a weaker policy than the network’s', { evidence: 'real', isTest: true }, devnet, 'config.policy'],
    ['simulated evidence where none is asked for', { evidence: 'none', isTest: true }, devnet, 'config.policy'],
    [
      'test roots on no test network',
      { evidence: 'real', isTest: false, testRoots: TEST_ROOTS },
      null,
      'config.test-roots',
    ],
    [
      'test roots beside simulated evidence',
      { evidence: 'simulated', isTest: true, testRoots: TEST_ROOTS },
      null,
      'config.test-roots',
    ],
  ])('%s is refused before anybody connects', (_, rules, asked, code) => {
    expect(() => policyOf(rules, asked)).toThrow(expect.objectContaining({ code }))
  })
})

describe('the identity of a node without a source', () => {
  const identity = (rules: NetworkRules, isRequired: boolean) =>
    createNetworkIdentity({ clock, log: silentLog, random: randomBytes }, rules, isRequired).status().evidence

  test('has simulated evidence on test networks, and none where evidence is real', () => {
    expect(identity({ evidence: 'simulated', isTest: true }, true)).toBe('simulated')
    expect(identity({ evidence: 'none', isTest: true }, true)).toBe('simulated')
    expect(identity({ evidence: 'real', isTest: false }, false)).toBe('none')
  })

  test('is not to be had where peers would refuse it', () => {
    expect(() => identity({ evidence: 'real', isTest: true }, true)).toThrow(
      expect.objectContaining({ code: 'config.evidence-source' }),
    )
  })
})
