import { describe, expect, test } from 'vitest'
import { Address } from '../../chain/index.ts'
import { equalBytes } from '../../util/index.ts'
import { refusedByPeer } from './refusals.ts'
import { receive, type Session, type SessionInput, type SessionView } from './session.ts'

describe('the session with a proxy', () => {
  const contract = new Address(0, Buffer.alloc(32, 1))
  const ownContract = new Address(0, Buffer.alloc(32, 2))
  const secretHash = new Uint8Array(32).fill(5)
  const view: SessionView = {
    isTest: true,
    versions: { min: 1, max: 4 },
    secretHash,
    mayRevealSecret: true,
    contracts: () => ({ contract, ownContract }),
  }
  const proxy = { publicKey: new Uint8Array(32), contract, ownContract, version: 4 }
  const connected = (
    params: object = {},
    auth: object = { _: 'client.proxyConnectionAuthShort', secretHash, nonce: 3n },
  ): SessionInput =>
    ({
      got: 'connected',
      answer: {
        _: 'client.connectedToProxy',
        params: {
          flags: 3,
          proxyPublicKey: new Uint8Array(32),
          proxyOwnerAddress: 'UQ',
          proxyScAddress: 'UQ',
          isTest: true,
          protoVersion: 4,
          ...params,
        },
        clientScAddress: 'UQ',
        auth,
        signedPayment: { _: 'proxy.signedPaymentEmpty' },
      },
    }) as SessionInput
  const success: SessionInput = {
    got: 'authorized',
    result: {
      _: 'client.authorizationWithProxySuccess',
      signedPayment: { _: 'proxy.signedPaymentEmpty' },
      tokensCommittedToDb: 0n,
      maxTokens: 0n,
    },
  }

  test('reveals its secret to a proxy that knows its hash, and serves', () => {
    const [one, effects] = receive({ at: 'greeting' }, connected(), view)
    expect(effects).toEqual([{ do: 'authorize-short' }])
    expect(receive(one, success, view)).toMatchObject([{ at: 'ready' }, [{ do: 'serve' }]])
  })

  test.each([
    [
      'a proxy that knows another hash',
      connected({}, { _: 'client.proxyConnectionAuthShort', secretHash: new Uint8Array(32), nonce: 3n }),
      view,
    ],
    ['a proxy that offers the long form', connected({}, { _: 'client.proxyConnectionAuthLong', nonce: 3n }), view],
    ['any proxy when the secret is empty where money is', connected(), { ...view, mayRevealSecret: false }],
  ] as const)('never reveals its secret to %s', (_, input, v) => {
    expect(receive({ at: 'greeting' }, input, v)[1]).toEqual([{ do: 'authorize-long', nonce: 3n }])
  })

  test.each([
    ['an old form of introduction', { at: 'greeting' }, connected({ flags: 0 })],
    ['the other kind of network', { at: 'greeting' }, connected({ isTest: false })],
    ['a version that was not offered', { at: 'greeting' }, connected({ protoVersion: 7 })],
    [
      'a refused authorization',
      { at: 'authorizing', proxy },
      { got: 'authorized', result: { _: 'client.authorizationWithProxyFailed', errorCode: 1, error: 'no' } },
    ],
    ['an authorization nobody asked for', { at: 'greeting' }, success],
    ['a second introduction', { at: 'ready', proxy }, connected()],
  ] as const)('%s ends it', (_, session, input) => {
    expect(receive(session as Session, input as SessionInput, view)[0].at).toBe('closed')
  })

  test('keeps a key of its own: the recorded bytes may be reused', () => {
    const input = connected() as Extract<SessionInput, { got: 'connected' }>
    const [next] = receive({ at: 'greeting' }, input, view)
    ;(input.answer.params.proxyPublicKey as Uint8Array).fill(9)
    expect(next.at === 'authorizing' && equalBytes(next.proxy.publicKey, new Uint8Array(32))).toBe(true)
  })
})

test.each([
  [602, 'client balance is too low: max_tokens=5', 'payment.balance'],
  [651, 'balance is too low', 'payment.balance'],
  [651, 'can run this query with coefficient=1500', 'capacity.price'],
  [621, 'unknown model x', 'request.unknown-model'],
  [651, 'no workers for model x', 'capacity.no-workers'],
  [651, 'no ready workers for modelx', 'capacity.busy'],
  [602, 'too many active queries', 'capacity.busy'],
  [652, 'timeout in proxy', 'capacity.timeout'],
  [652, 'worker: timeout', 'capacity.timeout'],
  [653, 'the worker’s connection was lost', 'protocol.worker-lost'],
  [621, 'worker: invalid http request: n must be positive', 'request.refused'],
  [602, 'the worker’s usage report was refused: sum', 'protocol.usage'],
  [601, 'worker: http failed: refused', 'engine.failed'],
  [0, 'Lost promise', 'protocol.peer-error'],
  [0, 'proxy: the settlement could not be recorded', 'capacity.not-ready'],
])('the wire’s %i "%s" is told to the caller as %s', (code, message, expected) => {
  expect(refusedByPeer(code, message)).toMatchObject({ code: expected, info: { remoteCode: code } })
})

test.each([
  ['unknown model x', 'model', 'unknown model x'],
  ['can run this query with coefficient=1500', 'max_coefficient', /asks 1500 is: raise max_coefficient/],
])('the wire’s "%s" names the field %s and what to do', (message, field, says) => {
  const error = refusedByPeer(651, message)
  expect(error.info).toMatchObject({ field })
  expect(error.message).toMatch(says)
})

test('a peer’s sentence cannot forge lines or fill a log', () => {
  const { message } = refusedByPeer(602, `a\n\u001b[2J${'x'.repeat(5000)}`)
  expect(message).not.toMatch(/[\n\u001b]/)
  expect(message.length).toBeLessThanOrEqual(512)
})

test.each([
  ['no ready workers for model m: the queue is full; try again in 2500 ms', 2500],
  ['no ready workers for model m: waited 10.0 s; try again in 999999999 ms', 60_000],
  ['no ready workers for model m', 1000],
])('a busy proxy’s "%s" sends the caller away for %i ms', (message, retryAfterMs) => {
  expect(refusedByPeer(651, message)).toMatchObject({ code: 'capacity.busy', info: { retryAfterMs } })
})
