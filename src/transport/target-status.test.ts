import { expect, test } from 'vitest'
import { CocoonError } from '../util/index.ts'
import { targetStatus } from './target-status.ts'
import type { Link, Target } from './targets.ts'

const link: Link = { handler: {} as Link['handler'], ready: true, retire: () => false }
const target = (over: Partial<Target<Link>>): Target<Link> => ({
  ...{ host: 'h', port: 7, link, ready: true, lastFailure: null },
  ...over,
})
const known = () => ({ evidence: 'verified', version: 4 }) as const

test('a target that is ready shows what its session knows', () => {
  expect(targetStatus(target({}), known)).toEqual({
    ...{ address: 'h:7', ready: true, evidence: 'verified', version: 4, lastFailure: null },
  })
})

test('one that is not shows nothing of a session that has ended, and why it could not connect', () => {
  const lastFailure = new CocoonError('protocol.handshake', { message: 'no' })
  const shown = { address: 'h:7', ready: false, evidence: null, version: null, lastFailure: 'no' }
  expect(targetStatus(target({ ready: false, lastFailure }), known)).toEqual(shown)
  expect(targetStatus(target({ ready: false, link: null, lastFailure }), known)).toEqual(shown)
})
