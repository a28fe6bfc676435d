/** The HTTP API of a client node with keys, budgets, files and batches, in front of any inference; it can be stopped and started again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ClientApi,
  type ClientApiOptions,
  clientApiOptions,
  createClientApi,
  openServedBatches,
  type ServedBatches,
} from '../../src/api/index.ts'
import { openStoreAccess } from '../../src/batch/store-access.ts'
import { type Batches, type BatchOptions, batchOptions, watchInteractive } from '../../src/batch/index.ts'
import { type Gateway, gatewayOptions, meterInference, openGateway } from '../../src/gateway/index.ts'
import type { ChargeRecall, Inference } from '../../src/roles/client/index.ts'
import { type Clock, type Log, noMetrics, Secret, silentLog, systemClock, systemRandom } from '../../src/util/index.ts'

export const ADMIN_KEY = 'an-admin-key-for-tests'.padEnd(43, '0')

export interface BatchNodeSetup {
  readonly inference: Inference
  readonly clock?: Clock
  readonly log?: Log
  readonly batch?: Partial<BatchOptions>
  readonly recall?: ChargeRecall
  readonly http?: Readonly<Record<string, unknown>>
}

export interface BatchNode {
  readonly gateway: Gateway
  readonly batches: Batches
  readonly api: ClientApi
  /** Where everything is kept. */
  readonly folder: string
  /** Ends without waiting for anything, and begins anew on the same folder. @param meanwhile while nothing runs */
  restart(setup?: Partial<BatchNodeSetup>, meanwhile?: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export async function startBatchNode(first: BatchNodeSetup): Promise<BatchNode> {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-batch-'))
  let setup = first
  let parts = await open()

  async function open() {
    const { inference, clock = systemClock, log = silentLog } = setup
    const deps = { clock, random: systemRandom, log, metrics: noMetrics }
    const gateway = await openGateway(
      { ...deps, fetch },
      { ...gatewayOptions.parse({}), path: join(folder, 'gateway.sqlite') },
    )
    const metered = meterInference({ inference, gateway, clock })
    const http = clientApiOptions.parse({ port: 0, ...setup.http })
    const { batches, live } = await openBatchesBeside(metered, {
      clock,
      log,
      gateway,
      folder,
      http,
      batch: setup.batch,
      recall: setup.recall,
    })
    const ops = {
      ready: () => [],
      status: () => ({}),
      jsonstats: () => ({}),
      metricsText: () => Promise.resolve(''),
    }
    const admin = { key: new Secret(ADMIN_KEY) }
    const api = createClientApi({ ...deps, inference: live, gateway, admin, ops, batches }, http)
    return { gateway, batches: batches.of, api }
  }

  async function close(): Promise<void> {
    await parts.api.close()
    await parts.batches.close()
    await parts.gateway.close()
  }

  return {
    get gateway() {
      return parts.gateway
    },
    get batches() {
      return parts.batches
    },
    get api() {
      return parts.api
    },
    folder,
    async restart(change = {}, meanwhile = async () => {}) {
      await close()
      await meanwhile()
      setup = { ...setup, ...change }
      parts = await open()
    },
    async close() {
      await close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** As the client puts them together: what its API needs of them, and the inference for requests that somebody waits for. */
export async function openBatchesBeside(
  metered: Inference,
  {
    clock,
    log,
    gateway,
    folder,
    http,
    batch,
    recall = null,
  }: {
    readonly clock: Clock
    readonly log: Log
    readonly gateway: Gateway
    readonly folder: string
    readonly http: ClientApiOptions
    readonly batch?: Partial<BatchOptions> | undefined
    readonly recall?: ChargeRecall | null | undefined
  },
): Promise<{ readonly batches: ServedBatches; readonly live: Inference }> {
  const watch = watchInteractive(metered, clock)
  const deps = { clock, random: systemRandom, log, metrics: noMetrics, gateway, metered }
  const batches = await openServedBatches(
    { ...deps, recall, isInteractiveWaiting: () => watch.isWaiting() },
    { batch: batchOptions.parse({ ...batch }), http, folder },
  )
  return { batches, live: watch.inference }
}

/** Input lines for chat completions, `line-0` and so on. */
export const chatLines = (count: number, more: object = {}, from = 0): string =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      custom_id: `line-${from + i}`,
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: 'test-model', messages: [{ role: 'user', content: `Say ${from + i}` }], max_tokens: 8, ...more },
    }),
  ).join('\n')

/** Leaves the folder of a node that does not run as a process leaves it that dies with these attempts under way. */
export async function leaveUnderWay(
  folder: string,
  batch: string,
  maxCostNano: bigint,
  requestBySeq: Readonly<Record<number, string>>,
  to: { readonly sentMs: number; readonly sentTo: readonly string[] | null } = { sentMs: 0, sentTo: null },
): Promise<void> {
  const store = await openStoreAccess({ clock: systemClock, log: silentLog }, join(folder, 'batches.sqlite'))
  await store.apply(
    Object.entries(requestBySeq).map(([seq, request]) => ({
      put: 'sent' as const,
      batch,
      maxCostNano,
      seq: Number(seq),
      request,
      ...to,
    })),
  )
  await store.close()
}
