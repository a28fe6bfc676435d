/** What a running node says of its accounts with proxies, asked over its operations endpoint. */
import { z } from 'zod'
import { CocoonError, reveal } from '../util/index.ts'
import type { Config } from './schema.ts'

const TIMEOUT_MS = 3_000
const total = z.union([z.int(), z.string().regex(/^\d+$/)]).transform(BigInt)

/** Nodes say more; this is what is needed here. */
const Status = z.object({
  role: z.string(),
  accounts: z.array(z.object({ proxyContract: z.string(), contract: z.string(), signedTokens: total, tokens: total })),
})
export type NodeAccount = z.output<typeof Status>['accounts'][number]

/** None where the node does not run. Throws `config.other-node` when something else answers there. */
export async function accountsOfNode(config: Config, role: 'client' | 'worker'): Promise<readonly NodeAccount[]> {
  const { host, port, apiKey } = config[role].http
  const url = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}/status`
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${reveal(apiKey)}` }
  const refuse = (why: string): CocoonError =>
    new CocoonError('config.other-node', { message: `${url} is not the ${role} of this configuration: ${why}` })
  let reply: Response
  try {
    reply = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch {
    return []
  }
  if (!reply.ok) throw refuse(`HTTP ${reply.status}`)
  const status = Status.safeParse(await reply.json().catch(() => null))
  if (!status.success || status.data.role !== role) throw refuse('it answers something else')
  return status.data.accounts
}
