/** The gateway of `cocoon client`: its file, its key, and the inference that passes it. */
import { join } from 'node:path'
import { type AdminAccess, openServedBatches, type ServedBatches } from '../../api/index.ts'
import { watchInteractive } from '../../batch/index.ts'
import { type Gateway, meterInference, openGateway } from '../../gateway/index.ts'
import type { ChargeRecall, Inference } from '../../roles/client/index.ts'
import type { Process } from '../compose.ts'
import { loadAdminKey } from './admin-key.ts'
import { buildWithVite, createConsolePage, PACKAGE_ROOT } from './console-page.ts'

export interface OpenedGateway {
  readonly gateway: Gateway
  readonly admin: AdminAccess
  meter(inference: Inference): Inference
}

export interface OpenedBatches {
  readonly batches: ServedBatches
  /** What live endpoints run on, so that batches know when to stand back. */
  readonly live: Inference
}

/** @param leave as in `AdminAccess`. Throws `config.gateway-…`, `config.key-file`. */
export async function openClientGateway(p: Process, leave?: AdminAccess['leave']): Promise<OpenedGateway> {
  const { home, client } = p.config
  const key = loadAdminKey(home, p.random)
  const gateway = await openGateway(
    { clock: p.clock, random: p.random, log: p.log, metrics: p.metrics, fetch },
    { ...client.gateway, path: join(home, 'client', 'gateway.sqlite') },
  )
  return {
    gateway,
    admin: {
      key,
      fiat: gateway.fiat,
      ...(leave === undefined ? {} : { leave }),
      console: createConsolePage({ root: PACKAGE_ROOT, log: p.log, build: buildWithVite }),
    },
    meter: (inference) => meterInference({ inference, gateway, clock: p.clock }),
  }
}

/** @param metered the gateway's inference. Throws `config.batch-…` */
export async function openClientBatches(
  p: Process,
  gateway: Gateway,
  metered: Inference,
  recall: ChargeRecall,
): Promise<OpenedBatches> {
  const { home, client } = p.config
  const watch = watchInteractive(metered, p.clock)
  const batches = await openServedBatches(
    { ...p, gateway, metered, recall, isInteractiveWaiting: () => watch.isWaiting() },
    { batch: client.batch, http: client.http, folder: join(home, 'client') },
  )
  return { batches, live: watch.inference }
}
