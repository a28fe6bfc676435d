import { expect, test } from 'vitest'
import {
  type Address,
  formatAddress,
  parseAddress,
  parseNetworkFile,
  proxyContractAddress,
  signingKeyFromSeed,
  signPayment,
  workerContractAddress,
} from '../../chain/index.ts'
import {
  constructorId,
  decode,
  encode,
  httpRequest,
  proxyRunQueryEx,
  workerCompareBalanceWithProxy,
  workerCompareBalanceWithProxyResult,
  workerConnectedToProxy,
  workerConnectToProxy,
  workerEnabledDisabled,
  workerProxyHandshakeCompleted,
} from '../../tl/index.ts'
import { NO_USAGE } from '../../engine/index.ts'
import type { Connection } from '../../transport/index.ts'
import { CocoonError, manualClock, noMetrics, seededRandom, silentLog, NOTHING_KNOWN } from '../../util/index.ts'
import { workerOptions } from './options.ts'
import { openLink } from './proxy-link.ts'
import { createRequests } from './requests.ts'

const account = (byte: string): Address => parseAddress(`0:${byte.repeat(32)}`, 'test')
const owner = account('55')
const key = signingKeyFromSeed(new Uint8Array(32).fill(3))
const config = parseNetworkFile(
  JSON.stringify({
    root_owner_address: formatAddress(account('22'), false),
    cocoon: { root_contract_address: formatAddress(account('33'), false) },
  }),
  'test network',
)
const proxyOwner = account('44')
const contract = proxyContractAddress(config.params, {
  owner: proxyOwner,
  publicKey: key.publicKey,
  root: account('33'),
})
const ownContract = workerContractAddress(config.params, { owner, proxy: contract, proxyPublicKey: key.publicKey })

/** A link to a proxy that answers a handshake at once and, with its last answer, sends a request in the same breath. */
async function openedLink() {
  let asked = 0
  let fail = (): void => undefined
  const sent: Uint8Array[] = []
  const clock = manualClock()
  const connection: Connection = {
    id: 1,
    peer: { publicKey: new Uint8Array(32), evidence: 'none', imageHash: null, remote: 'test', extended: false },
    open: true,
    congested: false,
    send: (message) => void sent.push(Uint8Array.from(message)),
    afterSending: (then) => then(),
    query: (message) => {
      const answer = answerTo(constructorId(message))
      // As in one chunk of bytes: the request is handled before anybody can have seen the answer.
      if (
        constructorId(message) !== workerConnectToProxy.id &&
        constructorId(message) !== workerCompareBalanceWithProxy.id
      )
        queueMicrotask(() => link.handler.message(request()))
      return Promise.resolve(answer)
    },
    close: (why) => {
      throw why
    },
  }
  const requests = createRequests({
    clock,
    log: silentLog,
    metrics: noMetrics,
    model: 'm',
    maxActive: 5,
    price: () => config.params,
    engine: {
      run(_call, sink) {
        asked++
        fail = () => sink.fail(new CocoonError('engine.unreachable'), NO_USAGE)
        return { resume() {} }
      },
      models: async () => [],
      close: async () => undefined,
    },
  })
  const link = openLink(connection, {
    clock,
    random: seededRandom(1),
    log: silentLog,
    owner,
    options: workerOptions.parse({ model: 'm' }),
    requests,
    memory: new Map(),
    config: () => config,
    abilities: () => NOTHING_KNOWN,
    instance: new Uint8Array(32),
    disabled: () => false,
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(link.ready).toBe(true)
  return { link, sent, asked: () => asked, failAnswer: () => fail() }
}

test('a request right behind the last answer of the handshake is served', async () => {
  expect((await openedLink()).asked()).toBe(1)
})

test('a connection that is to be made anew gets no more work, also when the engine comes back, and is idle when all has ended', async () => {
  const { link, sent, failAnswer } = await openedLink()
  sent.length = 0
  const announced = (): number[] => sent.map((message) => decode(workerEnabledDisabled, message).disabled)
  expect(link.retire()).toBe(false)
  expect(link.retire()).toBe(false)
  link.announceDisabled(false)
  expect(announced()).toEqual([1, 1])
  failAnswer()
  expect(link.retire()).toBe(true)
})

function answerTo(query: number): Uint8Array {
  if (query === workerConnectToProxy.id) {
    const params = {
      flags: 3,
      proxyPublicKey: key.publicKey,
      proxyOwnerAddress: formatAddress(proxyOwner, false),
      proxyScAddress: formatAddress(contract, false),
      isTest: true,
      protoVersion: 4,
    }
    return encode(workerConnectedToProxy, { params, workerScAddress: formatAddress(ownContract, false) })
  }
  if (query === workerCompareBalanceWithProxy.id) {
    const data = signPayment({ kind: 'payout', tokens: 0n, contract: ownContract }, key, proxyOwner, 1n)
    return encode(workerCompareBalanceWithProxyResult, {
      signedPayment: { _: 'proxy.signedPayment', data },
      tokensCommittedToDb: 0n,
      maxTokens: 0n,
      errorCode: 0,
    })
  }
  return encode(workerProxyHandshakeCompleted, {})
}

function request(): Uint8Array {
  const payload = new TextEncoder().encode('{"model":"m","messages":[]}')
  const query = encode(httpRequest, {
    method: 'POST',
    url: '/v1/chat/completions',
    httpVersion: 'HTTP/1.1',
    headers: [],
    payload,
  })
  return encode(proxyRunQueryEx, {
    query,
    signedPayment: { _: 'proxy.signedPaymentEmpty' },
    coefficient: 1000n,
    timeout: 10,
    requestId: new Uint8Array(32),
    flags: 1,
    enableDebug: false,
  })
}
