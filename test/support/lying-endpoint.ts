/** An endpoint between nodes and a chain that can lie: down, slow, on another network, or with other accounts than there are. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Address } from '../../src/chain/index.ts'

export interface LyingEndpoint {
  readonly url: string
  /** Methods that were asked since the last look. */
  asked(): readonly string[]
  /** Changed at will; the truth where it says nothing. */
  lie: Lie
  close(): Promise<void>
}

export interface Lie {
  /** HTTP status of every answer; 0 hangs up; null never answers. */
  readonly status?: number | null
  /** Answers come so much later. */
  readonly delayMs?: number
  /** Base64: the first state of the chain it claims to serve. */
  readonly zeroState?: string
  /** What is told of the account instead, as fields of its answer. */
  readonly accounts?: readonly (readonly [address: Address, fields: object])[]
  /** By how much its blocks, and its own clock, differ from the chain's. */
  readonly clockMs?: number
}

/** @param chainUrl up to the version */
export async function startLyingEndpoint(chainUrl: string): Promise<LyingEndpoint> {
  let asked: string[] = []
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint: LyingEndpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2`,
    lie: {},
    asked: () => asked.splice(0),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts).toString()
    const { method, params } = JSON.parse(body) as { method: string; params: { address?: string } }
    const { lie } = endpoint
    asked = [...asked, method].slice(-10_000)
    if (lie.status === null) return
    if (lie.status === 0) return void request.socket.destroy()
    if (lie.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, lie.delayMs))
    if (lie.status !== undefined) {
      response.writeHead(lie.status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ ok: false, error: 'LITE_SERVER_NETWORK', code: lie.status }))
      return
    }
    const truth = await fetch(`${chainUrl}/jsonRPC`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    const envelope = (await truth.json()) as { result?: Record<string, unknown> }
    if (envelope.result !== undefined) twist(method, params, envelope.result, lie)
    response.writeHead(truth.status, {
      'content-type': 'application/json',
      date: new Date(Date.now() + (lie.clockMs ?? 0)).toUTCString(),
    })
    response.end(JSON.stringify(envelope))
  }
  return endpoint
}

function twist(method: string, params: { address?: string }, result: Record<string, unknown>, lie: Lie): void {
  if (method === 'getMasterchainInfo' && lie.zeroState !== undefined)
    result['init'] = { ...(result['init'] as object), root_hash: lie.zeroState }
  if (method === 'getBlockHeader' && lie.clockMs !== undefined)
    result['gen_utime'] = (result['gen_utime'] as number) + lie.clockMs / 1000
  if (method !== 'getAddressInformation') return
  const address = Address.parse(params.address ?? '')
  Object.assign(result, lie.accounts?.find(([one]) => one.equals(address))?.[1])
  if (lie.clockMs !== undefined) result['sync_utime'] = (result['sync_utime'] as number) + lie.clockMs / 1000
}
