/** Every setting of the product in one schema: the file's shape, and where flags and environment variables come from. */
import { z } from 'zod'
import { clientApiOptions, opsApiOptions } from '../api/index.ts'
import { attestationOptions } from '../attest/index.ts'
import { batchOptions } from '../batch/index.ts'
import { devnetOptions } from '../devnet/index.ts'
import { httpEngineOptions, llamaOptions } from '../engine/index.ts'
import { DEFAULT_MODEL } from '../models/index.ts'
import { gatewayOptions } from '../gateway/index.ts'
import { clientOptions } from '../roles/client/index.ts'
import { proxyOptions } from '../roles/proxy/index.ts'
import { workerOptions } from '../roles/worker/index.ts'
import { telemetryOptions } from '../telemetry/index.ts'
import { Secret } from '../util/index.ts'

const ownerAddress = z
  .string()
  .optional()
  .describe(
    'TON address of the owner. Without one: the wallet of `cocoon wallet create`, and in a network without a chain an address made from the node’s own key',
  )

const secret = z.union([z.instanceof(Secret<string>), z.string().transform((text) => new Secret(text))])

/** Operations endpoints of proxy and worker, on ports of their own. */
const opsOn = (port: number): z.ZodObject<(typeof opsApiOptions)['shape']> =>
  opsApiOptions.extend({
    port: opsApiOptions.shape.port
      .unwrap()
      .default(port)
      .describe('Port of the operations endpoints; 0 takes a free one'),
  })

const { modelPath: _path, servedModelName: _name, port: llamaPort, ...llamaShape } = llamaOptions.shape

export const configSchema = z.strictObject({
  home: z.string().min(1).default('~/.cocoon').describe('Folder for keys, models and what nodes remember'),
  network: z
    .string()
    .min(1)
    .default('devnet')
    .describe('`mainnet`, `testnet`, `devnet` (the local chain), or the path of a network file, which has no chain'),
  rootContractAddress: z
    .string()
    .optional()
    .describe(
      'Address of the root registry contract. Without one: the network’s own, or the one that was last deployed from this folder',
    ),
  ton: z
    .strictObject({
      endpoints: z
        .array(z.string())
        .min(1)
        .optional()
        .describe(
          'Toncenter endpoints, up to and with the version (`…/api/v2`), best first. Without any: the network’s public one',
        ),
      apiKeys: z
        .record(z.string(), secret)
        .optional()
        .describe('Keys for endpoints, by host name: `{ "toncenter.com": "…" }`'),
      requestsPerSecond: z
        .number()
        .positive()
        .optional()
        .describe('How often one endpoint is asked. Without it: 1, with a key 10, on this machine 1000'),
      crossCheck: z
        .boolean()
        .optional()
        .describe(
          'Whether what decides about money must be told by two endpoints alike. Without it: where there are two',
        ),
    })
    .prefault({}),
  wallet: z
    .strictObject({
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'up to 32 of a-z, 0-9 and dashes')
        .default('owner')
        .describe('Which wallet of `<home>/wallets` pays'),
      passphrase: secret.optional().describe('Opens the wallet where nobody can type it. Without: a terminal asks'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Least important lines to write'),
      format: z
        .enum(['auto', 'pretty', 'json'])
        .default('auto')
        .describe('`auto`: pretty on a terminal, JSON otherwise'),
    })
    .prefault({}),
  attestation: attestationOptions.prefault({}),
  telemetry: telemetryOptions.prefault({}),
  shutdownGraceMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(30_000)
    .describe('How long running answers may take when a node is told to stop'),
  client: z
    .strictObject({
      ...clientOptions.shape,
      ownerAddress,
      secret: secret
        .optional()
        .describe('What short authorization reveals to a proxy; empty is fine only in a network without money'),
      http: clientApiOptions.prefault({}),
      gateway: gatewayOptions.prefault({}),
      batch: batchOptions.prefault({}),
    })
    .prefault({}),
  proxy: z.strictObject({ ...proxyOptions.shape, ownerAddress, http: opsOn(11_000).prefault({}) }).prefault({}),
  worker: z
    .strictObject({
      ...workerOptions.shape,
      ownerAddress,
      engine: httpEngineOptions
        .extend({ url: httpEngineOptions.shape.url.default('http://127.0.0.1:18000') })
        .prefault({}),
      http: opsOn(12_000).prefault({}),
    })
    .prefault({}),
  engine: z
    .strictObject({
      model: z
        .string()
        .min(1)
        .default(DEFAULT_MODEL)
        .describe(
          'Model of the embedded engine, for text or speech: a name of `cocoon model list`, `npm:`, `hf:`, `https:` or a file',
        ),
      servedName: z.string().min(1).optional().describe('Name callers ask for; without one, the model’s short name'),
      ...llamaShape,
      port: llamaPort.unwrap().default(18_000).describe('Port of the embedded engine; 0 takes a free one'),
    })
    .prefault({}),
  devnet: devnetOptions.prefault({}),
  up: z
    .strictObject({
      chain: z
        .boolean()
        .default(true)
        .describe('Whether `up` brings a local chain along, with contracts and payments; without it, prices only'),
      question: z
        .string()
        .min(1)
        .default('What is a proxy server? Answer in one sentence.')
        .describe('What `cocoon up` asks once everything runs'),
      pricePerTokenNano: z
        .int()
        .min(0)
        .max(0x7fffffff)
        .default(20)
        .describe('nanoTON a client pays for one token in the network that `up` writes'),
      workerFeePerTokenNano: z.int().min(0).max(0x7fffffff).default(18).describe('nanoTON of it that the worker earns'),
    })
    .prefault({}),
})

export type Config = z.output<typeof configSchema>

/** Settings that never appear on a command line, where every user of the machine could read them. */
export const SECRET_KEYS: ReadonlySet<string> = new Set(['apiKey', 'apiKeys', 'memberKey', 'passphrase', 'secret'])
