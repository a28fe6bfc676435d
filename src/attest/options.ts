import { z } from 'zod'
import { NVATTEST } from '../tee/index.ts'
import { VENDOR_SERVERS } from './vendors.ts'

const server = z.union([
  z.literal('off'),
  z.url({ protocol: /^https?$/, error: 'must be an http or https address, or "off"' }),
])

const claimed = z
  .string()
  .regex(/^[\x21-\x7e]{0,64}$/, 'must be a word in ASCII, of at most 64 characters')
  .default('')

/** What a node proves and asks of others, and where it learns what vendors publish. */
export const attestationOptions = z.strictObject({
  policy: z
    .string()
    .min(1)
    .default('network')
    .describe(
      'What peers must prove: `network` (what the network asks for), a name of `cocoon policy list`, or a policy file',
    ),
  source: z
    .enum(['auto', 'configfs-tsm', 'command', 'none'])
    .default('auto')
    .describe(
      'Where this machine’s own evidence comes from: the kernel’s report interface, a program, or nowhere; `auto`: the kernel’s where it has one',
    ),
  sourceKind: z
    .enum(['tdx', 'sev-snp'])
    .default('tdx')
    .describe('What the program of `sourceCommand` gives evidence of'),
  sourceCommand: z
    .array(z.string().min(1))
    .default([])
    .describe('Program and arguments for `source` `command`: docs/evidence.md'),
  gpuSource: z
    .enum(['none', 'command'])
    .default('none')
    .describe(
      'Whether a worker shows evidence of its NVIDIA GPUs beside its own: `command` takes it from `gpuCommand`',
    ),
  gpuCommand: z
    .array(z.string().min(1))
    .min(1)
    .default([...NVATTEST])
    .describe(
      'Program and arguments that print evidence of the GPUs; `{nonce}` stands for the nonce: docs/evidence.md',
    ),
  provider: claimed.describe('Who runs this worker, in a word that its key signs; empty says nothing'),
  region: claimed.describe('Where this worker stands, in a word that its key signs; empty says nothing'),
  intelServer: server
    .default(VENDOR_SERVERS.intel)
    .describe('Where Intel’s collateral is fetched: Intel’s own service, a PCCS, or `off`'),
  amdServer: server.default(VENDOR_SERVERS.amd).describe('Where AMD’s certificates and lists are fetched, or `off`'),
  nvidiaServer: server.default(VENDOR_SERVERS.nvidia).describe('Where NVIDIA’s manifests are fetched, or `off`'),
  nvidiaOcspServer: server
    .default(VENDOR_SERVERS.nvidiaOcsp)
    .describe('Where NVIDIA answers whether a GPU’s certificates are revoked, a caching service, or `off`'),
  refreshHours: z
    .int()
    .min(1)
    .max(168)
    .default(24)
    .describe('How often collateral that is held is fetched again; revocations are seen this late at most'),
})
export type AttestationOptions = z.output<typeof attestationOptions>
