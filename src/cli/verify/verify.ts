/**
 * `cocoon verify`: evidence from a file or a node, verified with a collateral bundle and judged by a policy. Exit status 0
 * accepted, 1 refused; what cannot be used at all throws `config.*`, which is 2.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { parseNetworkFile } from '../../chain/index.ts'
import {
  assessCertificate,
  type Assessment,
  assessEvidence,
  type AssessOptions,
  type CollateralBundle,
  EMPTY_BUNDLE,
  encodeSession,
  type JudgeContext,
  MAX_BUNDLE_CHARACTERS,
  MAX_EVIDENCE_BYTES,
  nodeVerifyCrypto,
  parseBundle,
} from '../../tee/index.ts'
import { CocoonError } from '../../util/index.ts'
import { collateralPath } from '../compose.ts'
import type { Loaded } from '../config.ts'
import { chooseNetwork } from '../network.ts'
import type { Terminal } from '../terminal.ts'
import { readInput, readTextInput } from './input.ts'
import { hashOf, loadPolicy } from './policies.ts'
import { type Heading, showAssessment } from './show.ts'
import { readTarget, type Target } from './target.ts'

export interface VerifyFlags {
  readonly bundle?: string
  readonly policy: string
  readonly at?: string
  readonly image: readonly string[]
  readonly eventLog?: string
  readonly json?: boolean
  /** Where what a node showed is recorded. */
  readonly save?: string
}

/** What the network says: whom it allows, and what it asks for. */
type NetworkSays = Pick<JudgeContext, 'allowedImageHashes' | 'networkEvidence'> & { readonly words: string }

const MAX_NETWORK_BYTES = 4 * 1024 * 1024

export async function runVerify(loaded: Loaded, target: string, flags: VerifyFlags, t: Terminal): Promise<number> {
  const policy = loadPolicy(flags.policy)
  const nowMs = flags.at === undefined ? Date.now() : parseTime(flags.at)
  const images = imagesOf(flags.image)
  if (images.length > 0 && policy.images !== 'registry')
    throw new CocoonError('config.value', {
      message: `--image says nothing to policy ${policy.name}, which lists its own images: add the hash to "images" there`,
    })
  const bundle = readBundle(flags.bundle, loaded.config.home)
  const network = networkOf(loaded)
  const eventLog =
    flags.eventLog === undefined ? null : readInput(flags.eventLog, MAX_EVIDENCE_BYTES, 'config.verify-target')
  const stop = new AbortController()
  const onInterrupt = (): void => stop.abort()
  process.once('SIGINT', onInterrupt)
  const shown = await readTarget(target, stop.signal).finally(() => process.off('SIGINT', onInterrupt))
  if (flags.save !== undefined) record(flags.save, shown)
  const assessment = await assess(shown, {
    crypto: nodeVerifyCrypto,
    bundle,
    policy,
    eventLog,
    context: {
      nowMs,
      allowedImageHashes: new Set([...network.allowedImageHashes, ...images]),
      networkEvidence: network.networkEvidence,
      about: shown.from === 'connection' ? 'peer' : 'document',
    },
  })
  const heading: Heading = {
    target,
    at: new Date(nowMs).toISOString(),
    policy: { name: policy.name, sha256: await hashOf(policy) },
    network: network.words,
  }
  if (flags.json === true) t.line(JSON.stringify({ ...heading, ...assessment }, null, 2))
  else showAssessment(t, heading, assessment)
  return assessment.outcome === 'refused' ? 1 : 0
}

function assess(target: Target, options: AssessOptions): Promise<Assessment> {
  if (target.from === 'connection') return assessCertificate(target.certificate, 'server', options)
  const { form } = target.evidence
  return form === 'certificate'
    ? assessCertificate(target.evidence.bytes, 'unknown', options)
    : assessEvidence({ ...target.evidence, form }, options)
}

function record(path: string, shown: Target): void {
  if (shown.from === 'file')
    throw new CocoonError('config.value', { message: '--save records what a node shows; the target is a file already' })
  writeFileSync(path, encodeSession({ certificate: shown.certificate, claims: null }))
}

function parseTime(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isFinite(ms))
    throw new CocoonError('config.value', {
      message: `--at must be a time in ISO 8601 with its zone, like 2026-03-05T10:50:03Z, not "${text}"`,
    })
  return ms
}

function imagesOf(hashes: readonly string[]): string[] {
  for (const hash of hashes)
    if (!/^[0-9a-fA-F]{64}$/.test(hash))
      throw new CocoonError('config.value', { message: `--image must be 64 hex digits, not "${hash}"` })
  return hashes.map((hash) => hash.toLowerCase())
}

/** Without a name, what nodes of this folder hold. */
function readBundle(named: string | undefined, home: string): CollateralBundle {
  const held = collateralPath(home)
  const path = named ?? (existsSync(held) ? held : undefined)
  if (path === undefined) return EMPTY_BUNDLE
  return parseBundle(readTextInput(path, MAX_BUNDLE_CHARACTERS, 'config.collateral-bundle'), path)
}

/** The network file, where there is one. Registries on a chain are not read here: their hashes are given with --image. */
function networkOf({ config, origins }: Loaded): NetworkSays {
  const none = { allowedImageHashes: new Set<string>(), networkEvidence: null, words: 'no network' }
  if (!origins.has('network')) return none
  const chosen = chooseNetwork(config)
  if (chosen.kind === 'chain') {
    const { name, evidence } = chosen.chain
    return { ...none, networkEvidence: evidence, words: `network ${name} (give allowed hashes with --image)` }
  }
  const { path } = chosen
  const { proxyHashes, workerHashes, evidence } = parseNetworkFile(
    readTextInput(path, MAX_NETWORK_BYTES, 'config.network'),
    path,
  )
  const allowedImageHashes = new Set([...proxyHashes, ...workerHashes])
  return { allowedImageHashes, networkEvidence: evidence, words: `network file ${path} (evidence: ${evidence})` }
}
