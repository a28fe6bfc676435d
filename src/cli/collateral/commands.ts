/** `cocoon collateral show|fetch|export|import`. Exit status 0 when everything that was asked for could be done, else 1. */
import { existsSync, writeFileSync } from 'node:fs'
import { type CollateralKeeper, createCollateralKeeper, type FetchFailure, serversOf } from '../../attest/index.ts'
import {
  type CollateralBundle,
  type CollateralItem,
  type CollateralWant,
  detectEvidence,
  encodeBundle,
  MAX_BUNDLE_CHARACTERS,
  MAX_EVIDENCE_BYTES,
  nodeVerifyCrypto,
  parseBundle,
  parseGpuEvidence,
  readPem,
  wantKey,
  wantsOfGpu,
  wantsOfCertificateFile,
  wantsOfQuote,
  wantsOfReport,
} from '../../tee/index.ts'
import { CocoonError, silentLog, systemClock, systemRandom } from '../../util/index.ts'
import { collateralPath } from '../compose.ts'
import type { Loaded } from '../config.ts'
import { table, type Terminal } from '../terminal.ts'
import { readInput, readTextInput } from '../verify/input.ts'

export interface FetchFlags {
  readonly fmspc: readonly string[]
  readonly amd: readonly string[]
  readonly manifest: readonly string[]
  readonly for: readonly string[]
}

export const readBundleFile = (path: string): CollateralBundle =>
  parseBundle(readTextInput(path, MAX_BUNDLE_CHARACTERS, 'config.collateral-bundle'), path)

export async function showCollateral(
  { config }: Loaded,
  file: string | undefined,
  asJson: boolean,
  t: Terminal,
): Promise<number> {
  const path = file ?? collateralPath(config.home)
  if (file === undefined && !existsSync(path)) {
    t.line(
      asJson
        ? '[]'
        : `Nothing is held: ${path} does not exist. Nodes fetch what they need, or run: cocoon collateral fetch`,
    )
    return 0
  }
  const items = readBundleFile(path).items.toSorted((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0))
  if (asJson) t.line(JSON.stringify(items.map(shown), null, 2))
  else
    t.line(
      table(t, [
        ['type', 'of', 'from', 'until', 'state'],
        ...items.map((item) => {
          const { type, labels, validFrom, validUntil, state } = shown(item)
          return [type, labelsText(labels), validFrom.slice(0, 10), validUntil.slice(0, 10), state]
        }),
      ]),
    )
  return 0
}

const shown = ({ type, labels, validFromMs, validUntilMs }: CollateralItem) => ({
  type,
  labels,
  validFrom: new Date(validFromMs).toISOString(),
  validUntil: new Date(validUntilMs).toISOString(),
  state: Date.now() > validUntilMs ? 'expired' : Date.now() < validFromMs ? 'not valid yet' : 'valid',
})

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name} ${value.length > 24 ? `${value.slice(0, 16)}…` : value}`)
    .join(', ')

export function fetchCollateral(loaded: Loaded, flags: FetchFlags, t: Terminal): Promise<number> {
  return withKeeper(loaded, async (keeper) => {
    const wants = await wantsOf(flags, keeper.current())
    const isAnew = wants.length === 0 && !Object.values(flags).some((list: readonly string[]) => list.length > 0)
    t.line(t.style('dim', isAnew ? 'fetching what is held anew …' : `fetching ${wants.length} items …`))
    const failed = await keeper.refresh(...(isAnew ? [] : [wants]))
    // What the manifests of GPUs hang on shows when they are there.
    const known = new Set(wants.map(wantKey))
    const more = isAnew ? [] : (await wantsOf(flags, keeper.current())).filter((want) => !known.has(wantKey(want)))
    return report(t, keeper, [...failed, ...(more.length === 0 ? [] : await keeper.refresh(more))])
  })
}

async function wantsOf(flags: FetchFlags, held: CollateralBundle): Promise<readonly CollateralWant[]> {
  const wants: CollateralWant[] = []
  for (const fmspc of flags.fmspc) {
    if (!/^[0-9a-fA-F]{12}$/.test(fmspc)) throw badFlag('--fmspc', 'must be 12 hex digits', fmspc)
    wants.push({ type: 'intel-tcb-info', labels: { tee: 'tdx', fmspc: fmspc.toLowerCase() } })
  }
  if (flags.fmspc.length > 0)
    wants.push(
      { type: 'intel-qe-identity', labels: { tee: 'tdx' } },
      { type: 'intel-pck-crl', labels: { issuer: 'Intel SGX PCK Platform CA' } },
      { type: 'intel-pck-crl', labels: { issuer: 'Intel SGX PCK Processor CA' } },
      { type: 'intel-root-crl', labels: {} },
    )
  for (const product of flags.amd) {
    if (!['Milan', 'Genoa', 'Turin'].includes(product)) throw badFlag('--amd', 'must be Milan, Genoa or Turin', product)
    wants.push(
      { type: 'amd-chain', labels: { issuer: `SEV-${product}` } },
      { type: 'amd-chain', labels: { issuer: `SEV-VLEK-${product}` } },
      { type: 'amd-crl', labels: { issuer: `ARK-${product}` } },
    )
  }
  for (const id of flags.manifest) wants.push({ type: 'nvidia-manifest', labels: { id } })
  for (const path of flags.for) wants.push(...(await wantsOfFile(path, held)))
  return wants
}

async function wantsOfFile(path: string, held: CollateralBundle): Promise<readonly CollateralWant[]> {
  const evidence = detectEvidence(readInput(path, MAX_EVIDENCE_BYTES, 'config.verify-target'))
  const found =
    evidence?.form === 'dcap-quote'
      ? wantsOfQuote(evidence.bytes)
      : evidence?.form === 'snp-report'
        ? wantsOfReport(evidence.bytes, null)
        : evidence?.form === 'certificate'
          ? wantsOfCertificateFile(evidence.bytes)
          : evidence?.form === 'gpu-evidence'
            ? await wantsOfGpuFile(evidence.bytes, held)
            : []
  if (found.length > 0) return found
  throw badFlag('--for', 'must be a quote, a report, a node’s certificate or evidence of GPUs', path)
}

/** Several GPUs need much of the same. */
async function wantsOfGpuFile(bytes: Uint8Array, held: CollateralBundle): Promise<readonly CollateralWant[]> {
  const gpus = parseGpuEvidence(new TextDecoder().decode(bytes))
  const wants = await Promise.all(
    gpus.map(({ report, certificates }) =>
      wantsOfGpu(nodeVerifyCrypto, { report, certificates: readPem(certificates) }, held),
    ),
  )
  return [...new Map(wants.flat().map((want) => [wantKey(want), want])).values()]
}

const badFlag = (flag: string, must: string, given: string): CocoonError =>
  new CocoonError('config.value', { message: `${flag} ${must}, not "${given}"` })

export async function exportBundle({ config }: Loaded, file: string, t: Terminal): Promise<number> {
  const path = collateralPath(config.home)
  if (!existsSync(path))
    throw new CocoonError('config.collateral', {
      message: `nothing is held: ${path} does not exist; run \`cocoon collateral fetch\` first`,
    })
  const bundle = readBundleFile(path)
  writeFileSync(file, encodeBundle(bundle))
  t.line(`${bundle.items.length} items written to ${file}`)
  return 0
}

export function importBundle(loaded: Loaded, file: string, t: Terminal): Promise<number> {
  const { items } = readBundleFile(file)
  return withKeeper(loaded, async (keeper) => {
    const { taken, refused } = await keeper.merge(items)
    t.line(
      `${taken} of ${items.length} items taken; ${items.length - taken - refused.length} are held in the same or a newer form`,
    )
    return report(t, keeper, refused)
  })
}

function report(t: Terminal, keeper: CollateralKeeper, failed: readonly FetchFailure[]): number {
  for (const { what, reason } of failed) t.line(`${t.style('red', '✗')} ${what}: ${reason}`)
  const { items, validUntil } = keeper.status()
  t.line(`${items} items are held${validUntil === null ? '' : `; the first ends at ${validUntil}`}`)
  return failed.length === 0 ? 0 : 1
}

async function withKeeper({ config }: Loaded, work: (keeper: CollateralKeeper) => Promise<number>): Promise<number> {
  const keeper = createCollateralKeeper(
    { clock: systemClock, random: systemRandom, log: silentLog },
    {
      servers: serversOf(config.attestation),
      path: collateralPath(config.home),
      refreshEveryMs: config.attestation.refreshHours * 3_600_000,
    },
  )
  try {
    return await work(keeper)
  } finally {
    keeper.close()
  }
}
