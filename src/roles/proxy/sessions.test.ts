import { describe, expect, test } from 'vitest'
import { createMemoryLedger } from '../../ledger/index.ts'
import type { ClientToProxyQuery, WorkerToProxyQuery } from '../../tl/index.ts'
import { utf8, seededRandom } from '../../util/index.ts'
import {
  type AuthOffer,
  type ClientSession,
  type ClientView,
  receiveClientQuery,
  receiveRegistration,
} from './client-session.ts'
import { negotiate } from './handshake.ts'
import { WorkerPool } from './scheduler.ts'
import { receiveWorkerQuery, type WorkerSession, type WorkerView } from './worker-session.ts'

const hash = (bytes: Uint8Array): Uint8Array => new Uint8Array(32).fill(bytes.length + 1)

describe('a client', () => {
  const ledger = createMemoryLedger({ pricePerToken: 1n })
  ledger.openClient('0:c', { balanceNano: 9n, stakeNano: 9n, scTokensUsed: 0n })
  const open: AuthOffer = { by: 'test-network', secretHash: hash(new Uint8Array()), nonce: 0n }
  const bySecret: AuthOffer = { by: 'secret', secretHash: hash(utf8('sesame')), nonce: 7n }
  const viewWith = (offer: AuthOffer, over: Partial<ClientView> = {}): ClientView => ({
    isTest: true,
    configVersion: 3,
    enabled: true,
    identity: { publicKey: new Uint8Array(32), ownerAddress: '', contractAddress: '', isTest: true },
    pool: new WorkerPool(seededRandom(1)),
    open(address) {
      if (address === 'bad') throw new Error('no address')
      return { owner: '0:c', scAddress: 'UQc', offer, isClosing: false }
    },
    account: () => ledger.client('0:c') as NonNullable<ReturnType<typeof ledger.client>>,
    signedPayment: () => ({ _: 'proxy.signedPaymentEmpty' }),
    sha256: hash,
    ...over,
  })
  const hello = (params: object = {}, minConfigVersion = 3): ClientToProxyQuery => ({
    _: 'client.connectToProxy',
    params: { flags: 3, clientOwnerAddress: 'UQ', isTest: true, minProtoVersion: 1, maxProtoVersion: 4, ...params },
    minConfigVersion,
  })
  const short = (secret: string): ClientToProxyQuery => ({ _: 'client.authorizeWithProxyShort', data: utf8(secret) })
  const long: ClientToProxyQuery = { _: 'client.authorizeWithProxyLong' }
  const status: ClientToProxyQuery = { _: 'client.updatePaymentStatus' }

  test('greets, authorizes and is ready', () => {
    const view = viewWith(open)
    const [one, greeting] = receiveClientQuery({ at: 'greeting' }, hello(), view)
    expect(greeting).toMatchObject({ _: 'client.connectedToProxy', version: 4, scAddress: 'UQc' })
    const [two, result] = receiveClientQuery(one, short(''), view)
    expect(result._).toBe('client.authorizationWithProxySuccess')
    expect(two).toEqual({ at: 'ready', client: { owner: '0:c', version: 4 } })
    expect(receiveClientQuery(two, status, view)[1]._).toBe('client.paymentStatus')
    expect(receiveClientQuery(two, { _: 'client.requestRefund' }, view)[1]).toEqual({
      _: 'client.refundRejected',
      activeQueries: 0n,
    })
  })

  test.each([
    ['of an old form', hello({ flags: 2 }), {}, 602],
    ['of the other kind of network', hello({ isTest: false }), {}, 602],
    ['without an address', hello({ clientOwnerAddress: 'bad' }), {}, 602],
    ['that knows a newer registry', hello({}, 4), {}, 602],
    ['of a version to come', hello({ minProtoVersion: 5, maxProtoVersion: 9 }), {}, 621],
    ['while the proxy closes', hello(), { enabled: false }, 651],
  ] as const)('%s is refused and disconnected', (_, query, over, code) => {
    const [next, reply] = receiveClientQuery({ at: 'greeting' }, query, viewWith(open, over))
    expect(next.at).toBe('closed')
    expect(reply).toMatchObject({ _: 'refusal', code })
  })

  const authorizing = (offer: AuthOffer): ClientSession => ({
    at: 'authorizing',
    client: { owner: '0:c', version: 4 },
    offer,
    isRegistered: false,
  })
  const byRegistration: AuthOffer = { by: 'registration', nonce: 8n }
  test.each([
    ['the right secret opens', bySecret, short('sesame'), 'client.authorizationWithProxySuccess'],
    ['a wrong secret does not', bySecret, short('wrong'), 'refusal'],
    [
      'an empty secret never does, whatever hash was offered',
      { ...bySecret, secretHash: hash(new Uint8Array()) },
      short(''),
      'refusal',
    ],
    ['registration waits for the chain', bySecret, long, 'later'],
    ['registration waits where there is no secret', byRegistration, long, 'later'],
    ['a secret is no use where the contract has none', byRegistration, short('sesame'), 'refusal'],
    ['where there is no chain, either form opens', open, long, 'client.authorizationWithProxySuccess'],
  ] as const)('authorization: %s', (_, offer, query, expected) => {
    expect(receiveClientQuery(authorizing(offer), query, viewWith(offer))[1]._).toBe(expected)
  })

  test('registration opens whether the chain or the client’s question comes first, and the question comes once', () => {
    const view = viewWith(byRegistration)
    const [waiting] = receiveClientQuery(authorizing(byRegistration), long, view)
    expect(receiveRegistration(waiting)).toMatchObject([
      { at: 'ready' },
      { _: 'client.authorizationWithProxySuccess', owner: '0:c' },
    ])
    expect(receiveClientQuery(waiting, long, view)).toMatchObject([{ at: 'closed' }, { code: 0 }])
    const [seen, none] = receiveRegistration(authorizing(byRegistration))
    expect(none).toBeNull()
    expect(receiveClientQuery(seen, long, view)[0]).toMatchObject({ at: 'ready' })
    expect(receiveRegistration({ at: 'closed' })).toEqual([{ at: 'closed' }, null])
  })

  test('whose contract is closing is refused', () => {
    const view = viewWith(byRegistration, {
      open: () => ({ owner: '0:c', scAddress: 'UQc', offer: byRegistration, isClosing: true }),
    })
    expect(receiveClientQuery({ at: 'greeting' }, hello(), view)).toMatchObject([
      { at: 'closed' },
      { code: 602, message: 'client is closing' },
    ])
  })

  test.each([
    ['a second greeting', { at: 'ready', client: { owner: '0:c', version: 4 } }, hello(), 'closed'],
    ['authorization before the greeting', { at: 'greeting' }, long, 'closed'],
    ['a second authorization', { at: 'ready', client: { owner: '0:c', version: 4 } }, long, 'closed'],
    ['a control query before ready', { at: 'greeting' }, status, 'greeting'],
    ['anything after the end', { at: 'closed' }, hello(), 'closed'],
  ] as const)('%s is refused', (_, session, query, after) => {
    const [next, reply] = receiveClientQuery(session, query, viewWith(open))
    expect(reply._).toBe('refusal')
    expect(next.at).toBe(after)
  })

  test('sees enabled workers cheapest first, and models without any', () => {
    const view = viewWith(open)
    for (const [id, coefficient] of [
      [1, 1500],
      [2, 900],
      [3, 100],
    ] as const)
      view.pool.add({ connectionId: id, model: 'm@x', version: 4, capacity: 2, coefficient }, 0)
    view.pool.update(1, { enabled: true }, 0)
    view.pool.update(2, { enabled: true }, 0)
    const [, v2] = receiveClientQuery(
      { at: 'ready', client: { owner: '0:c', version: 4 } },
      { _: 'client.getWorkerTypesV2' },
      view,
    )
    expect(v2).toMatchObject({ types: [{ name: 'm', workers: [{ coefficient: 900 }, { coefficient: 1500 }] }] })
    const [, v1] = receiveClientQuery(
      { at: 'ready', client: { owner: '0:c', version: 0 } },
      { _: 'client.getWorkerTypes' },
      view,
    )
    expect(v1).toMatchObject({
      types: [{ name: 'm', activeWorkers: 3, coefficientMin: 100, coefficientMax: 0x7fffffff }],
    })
  })
})

describe('a worker', () => {
  const view = (over: Partial<WorkerView> = {}): WorkerView => ({
    isTest: true,
    enabled: true,
    hashes: null,
    open(address) {
      if (address === 'bad') throw new Error('no address')
      return { owner: '0:w', scAddress: 'UQw' }
    },
    totals: () => ({ chain: 10n, db: 20n, max: 30n }),
    ...over,
  })
  const hello = (params: object = {}): WorkerToProxyQuery => ({
    _: 'worker.connectToProxy',
    params: {
      flags: 3,
      workerOwnerAddress: 'UQ',
      model: 'm@1:2',
      coefficient: 1000,
      isTest: true,
      proxyCnt: 2,
      maxActiveRequests: 5,
      minProtoVersion: 1,
      maxProtoVersion: 4,
      ...params,
    },
  })
  const compare = (chain: bigint, db: bigint, max: bigint): WorkerToProxyQuery => ({
    _: 'worker.compareBalanceWithProxy',
    tokensCommittedToBlockchain: chain,
    tokensCommittedToDb: db,
    maxTokens: max,
  })
  const again: WorkerToProxyQuery = {
    _: 'worker.extendedCompareBalanceWithProxy',
    tokensCommittedToDb: 0n,
    other: new Uint8Array(),
  }
  const complete: WorkerToProxyQuery = { _: 'worker.proxyHandshakeComplete', isDisabled: false }
  const known = { owner: '0:w', model: 'm@1:2', version: 4, capacity: 3, coefficient: 1000, machine: '' }

  test('registers, compares, completes and is ready with its share of capacity', () => {
    const [one, reply] = receiveWorkerQuery({ at: 'greeting' }, hello(), view())
    expect(reply).toEqual({ _: 'worker.connectedToProxy', scAddress: 'UQw', version: 4 })
    expect(one).toEqual({ at: 'comparing', worker: known })
    const [two, compared] = receiveWorkerQuery(one, compare(0n, 0n, 0n), view())
    expect(compared).toMatchObject({ errorCode: 0 })
    const [three, completed] = receiveWorkerQuery(two, complete, view())
    expect(completed).toEqual({ _: 'worker.proxyHandshakeCompleted', disabled: false })
    expect(three.at).toBe('ready')
  })

  test('that saw more than is written down asks again, and then completes', () => {
    const [one, reply] = receiveWorkerQuery({ at: 'comparing', worker: known }, compare(10n, 20n, 31n), view())
    expect(reply).toMatchObject({ errorCode: 1 })
    expect(receiveWorkerQuery(one, complete, view())[1]._).toBe('refusal')
    const [two] = receiveWorkerQuery(one, again, view())
    expect(receiveWorkerQuery(two, complete, view())[0].at).toBe('ready')
  })

  test.each([
    [11n, 0n, 0n],
    [0n, 21n, 0n],
    [-1n, 0n, 0n],
  ])('claims of %i signed, %i written and %i metered tokens are refused, never fatal', (chain, db, max) => {
    const [next, reply] = receiveWorkerQuery({ at: 'comparing', worker: known }, compare(chain, db, max), view())
    expect(next.at).toBe('closed')
    expect(reply._).toBe('refusal')
  })

  const listed: NonNullable<WorkerView['hashes']> = { imageListed: true, imageHash: 'ab', isModelListed: () => true }
  test.each([
    ['of an old form', hello({ flags: 2 }), {}, 602],
    ['of the other kind of network', hello({ isTest: false }), {}, 602],
    ['without a model', hello({ model: '' }), {}, 621],
    ['with a negative price', hello({ coefficient: -1 }), {}, 621],
    ['with an absurd price', hello({ coefficient: 1_000_000_000 }), {}, 621],
    ['without capacity', hello({ maxActiveRequests: 0 }), {}, 621],
    ['without a proxy count', hello({ proxyCnt: 0 }), {}, 621],
    ['of a version to come', hello({ minProtoVersion: 5, maxProtoVersion: 9 }), {}, 621],
    ['without an address', hello({ workerOwnerAddress: 'bad' }), {}, 602],
    ['with an image nobody listed', hello(), { hashes: { ...listed, imageListed: false } }, 621],
    ['with a model nobody listed', hello(), { hashes: { ...listed, isModelListed: () => false } }, 621],
    ['while the proxy closes', hello(), { enabled: false }, 651],
  ] as const)('%s is refused and disconnected', (_, query, over, code) => {
    const [next, reply] = receiveWorkerQuery({ at: 'greeting' }, query, view(over))
    expect(next.at).toBe('closed')
    expect(reply).toMatchObject({ _: 'refusal', code })
  })

  const states: readonly WorkerSession[] = [
    { at: 'greeting' },
    { at: 'comparing', worker: known },
    { at: 'comparing-again', worker: known },
    { at: 'finishing', worker: known },
    { at: 'ready', worker: known },
    { at: 'closed' },
  ]
  const turn: Readonly<Record<string, string>> = {
    greeting: 'worker.connectToProxy',
    comparing: 'worker.compareBalanceWithProxy',
    'comparing-again': 'worker.extendedCompareBalanceWithProxy',
    finishing: 'worker.proxyHandshakeComplete',
  }
  test.each(
    states.flatMap((s) =>
      [hello(), compare(0n, 0n, 0n), again, complete]
        .filter((q) => turn[s.at] !== q._)
        .map((q) => [q._, s.at, s, q] as const),
    ),
  )('%s at %s is out of turn and ends the connection', (_, __, session, query) => {
    expect(receiveWorkerQuery(session, query, view())[0].at).toBe('closed')
  })
})

test.each([
  [{ minProtoVersion: 1, maxProtoVersion: 2 }, 2],
  [{ minProtoVersion: 3, maxProtoVersion: 9 }, 4],
  [{}, 0],
  [{ minProtoVersion: 5, maxProtoVersion: 6 }, null],
  [{ minProtoVersion: 3, maxProtoVersion: 2 }, null],
])('the versions %j meet ours at %s', (peer, chosen) => {
  expect(negotiate(peer, { min: 0, max: 4 })).toBe(chosen)
})
