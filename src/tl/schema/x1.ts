/**
 * Our own extension, for connections on which both ends chose the ALPN protocol `cocoon-x1`. A peer that did not choose it
 * never sees these. Ids by the same rule as the rest; none of them is in spec/tl-constructors.json.
 */
import {
  bare,
  bytes,
  ctor,
  double,
  flags,
  int,
  int128,
  int256,
  long,
  string,
  union,
  vector,
  when,
  type FieldsOf,
  type ValueOf,
} from '../lang.ts'
import {
  MAX_ABILITY_COUNT,
  MAX_ADDRESS_BYTES,
  MAX_ATTEMPT_COUNT,
  MAX_BODY_BYTES,
  MAX_CERTIFICATE_BYTES,
  MAX_CHARGE_COUNT,
  MAX_CLAIMS_BYTES,
  MAX_MODEL_COUNT,
  MAX_MODEL_NAME_BYTES,
  MAX_REASON_BYTES,
  MAX_SHOWN_WORKER_COUNT,
  MAX_SIGNATURE_BYTES,
  MAX_WORKER_COUNT,
} from './limits.ts'
import { proxyQueryFinalInfo } from './proxy.ts'

const body = bytes({ max: MAX_BODY_BYTES })
const words = vector(string({ max: MAX_REASON_BYTES }), { max: MAX_ABILITY_COUNT })

/** The asker of this request has gone: stop working on it. Sent as a packet; there is no answer. */
export const x1CancelQuery = ctor('x1.cancelQuery', { requestId: int256 }, 'x1.Packet')
export type X1CancelQuery = ValueOf<typeof x1CancelQuery>

/**
 * How long the sender's requests may wait for a worker to come back, where the only one was lost under them. Once, when the session
 * is ready; without it, as long as the proxy lets requests wait. Client to proxy.
 */
export const x1ClientPatience = ctor('x1.clientPatience', { lostWorkerMs: int }, 'x1.Packet')

/**
 * Ahead of the request with this id, on the same connection: what it will be charged is to be kept, so that its client, or the next
 * process of its owner, can ask for that by the first half of the id. There is no answer. Client to proxy.
 */
export const x1KeepCharge = ctor('x1.keepCharge', { requestId: int256 }, 'x1.Packet')

/**
 * A whole answer that was there at once, in one packet in the place of three. `head` is a boxed `http.response` without
 * payload and without the headers that tell times: those are in `finalInfo`. Worker to proxy.
 */
export const x1WorkerAnswer = ctor(
  'x1.workerAnswer',
  { requestId: int256, head: body, body, finalInfo: bare(proxyQueryFinalInfo) },
  'x1.Packet',
)
export type X1WorkerAnswer = ValueOf<typeof x1WorkerAnswer>

/**
 * The same on its way on, ahead of the last part, which has the final info and waits until the charge is written down: a client
 * that has it asks nobody else, whatever becomes of the proxy. Times are Unix seconds. Proxy to client.
 */
export const x1ClientAnswer = ctor(
  'x1.clientAnswer',
  {
    requestId: int256,
    head: body,
    body,
    proxyStartTime: double,
    proxyEndTime: double,
    workerStartTime: double,
    workerEndTime: double,
  },
  'x1.Packet',
)
export type X1ClientAnswer = ValueOf<typeof x1ClientAnswer>

/**
 * One worker's try at a request. Times are milliseconds after the proxy got it. Flags: 0 the worker has begun to answer, 1 the
 * try is over without an answer for the client.
 */
export const x1Attempt = ctor(
  'x1.attempt',
  {
    flags,
    /** The wallet that owns the worker. */
    worker: string({ max: MAX_ADDRESS_BYTES }),
    sentMs: int,
    firstAnswerMs: when(0, int),
    endedMs: when(1, int),
    /** One word: `worker-lost`, `engine-status`, … */
    ended: when(1, string({ max: MAX_REASON_BYTES })),
  },
  'x1.Attempt',
)
export type X1Attempt = FieldsOf<typeof x1Attempt>

/**
 * Who had a request and how long it waited for a worker. Sent once for each request that waited or reached a worker, before
 * the first answer or the error. Proxy to client.
 */
export const x1RequestStory = ctor(
  'x1.requestStory',
  { requestId: int256, queuedMs: int, attempts: vector(bare(x1Attempt), { max: MAX_ATTEMPT_COUNT }) },
  'x1.Packet',
)
export type X1RequestStory = ValueOf<typeof x1RequestStory>

/**
 * What a model can do at a worker's engine, in words (`tools`, `vision`, …); what is in neither list is not known. Flags: 0 how many
 * tokens prompt and answer may have together.
 */
export const x1Abilities = ctor(
  'x1.abilities',
  { flags, can: words, cannot: words, contextLength: when(0, int) },
  'x1.Abilities',
)
export type X1Abilities = FieldsOf<typeof x1Abilities>

/** After the handshake, and when it changes. Worker to proxy. */
export const x1WorkerAbilities = ctor('x1.workerAbilities', { abilities: bare(x1Abilities) }, 'x1.Packet')

/**
 * A random name that a worker process has at every proxy, so that who asks several of them counts it once. It proves nothing. Once,
 * after the handshake. Worker to proxy.
 */
export const x1WorkerInstance = ctor('x1.workerInstance', { instance: int256 }, 'x1.Packet')

/** The models with what their workers said of them. Client to proxy. */
export const x1GetOffers = ctor('x1.getOffers', {}, 'x1.Offers')

/** An enabled worker. Flags: 0 it has said what it can do, 1 it has said its name. */
export const x1Worker = ctor(
  'x1.worker',
  {
    flags,
    coefficient: int,
    activeRequests: int,
    maxActiveRequests: int,
    /** What it proved to the proxy: `verified`, `simulated` or `none`. */
    evidence: string({ max: MAX_REASON_BYTES }),
    abilities: when(0, bare(x1Abilities)),
    instance: when(1, int256),
  },
  'x1.Worker',
)
export type X1Worker = FieldsOf<typeof x1Worker>

export const x1Model = ctor(
  'x1.model',
  { name: string({ max: MAX_MODEL_NAME_BYTES }), workers: vector(bare(x1Worker), { max: MAX_WORKER_COUNT }) },
  'x1.Model',
)

export const x1Offers = ctor('x1.offers', { models: vector(bare(x1Model), { max: MAX_MODEL_COUNT }) }, 'x1.Offers')

const claims = bytes({ max: MAX_CLAIMS_BYTES })
const signature = bytes({ max: MAX_SIGNATURE_BYTES })

/**
 * What the sender proves beside its certificate: evidence of its GPUs, signed by the certificate's key. The first packet on a connection,
 * before any query; there is no answer. Worker to proxy. The form of `claims`: spec/attestation-snp-gpu.md, "Claims".
 */
export const x1Claims = ctor('x1.claims', { claims, signature }, 'x1.Packet')
export type X1Claims = ValueOf<typeof x1Claims>

/** Who works behind this proxy now, by what each of them proved. Client to proxy. */
export const x1GetWorkers = ctor('x1.getWorkers', {}, 'x1.Workers')

/** @field id SHA-256 over certificate, claims and signature: the same proof has the same id. */
export const x1ShownWorker = ctor(
  'x1.shownWorker',
  { id: int256, model: string({ max: MAX_MODEL_NAME_BYTES }) },
  'x1.ShownWorker',
)

export const x1Workers = ctor(
  'x1.workers',
  { workers: vector(bare(x1ShownWorker), { max: MAX_SHOWN_WORKER_COUNT }) },
  'x1.Workers',
)

/** What the worker with this id proved to the proxy, so that a client need not believe the proxy. Client to proxy. */
export const x1GetWorkerProof = ctor('x1.getWorkerProof', { id: int256 }, 'x1.WorkerProof')

/** `certificate` is DER; both others are empty where the worker claimed nothing beside it. All are where no such worker is connected. */
export const x1WorkerProof = ctor(
  'x1.workerProof',
  { certificate: bytes({ max: MAX_CERTIFICATE_BYTES }), claims, signature },
  'x1.WorkerProof',
)
export type X1WorkerProof = ValueOf<typeof x1WorkerProof>

/** What the asker's requests were charged whose charges were to be kept: by the first halves of their ids. Client to proxy. */
export const x1GetCharges = ctor('x1.getCharges', { names: vector(int128, { max: MAX_CHARGE_COUNT }) }, 'x1.Charges')

/** The bit of a charge’s flags word: a request of this name has not ended. */
export const X1_CHARGE_RUNS = 1

/** All requests of one name together. Flags: 0 one of them has not ended, and may still be charged. */
export const x1Charge = ctor('x1.charge', { flags, name: int128, tokens: long }, 'x1.Charge')

/**
 * Those of the names that are known. Of a request that came within the last `knownForS` seconds and is not among them, nothing was
 * charged and nothing runs.
 */
export const x1Charges = ctor(
  'x1.charges',
  { knownForS: int, charges: vector(bare(x1Charge), { max: MAX_CHARGE_COUNT }) },
  'x1.Charges',
)

export const x1ClientQueries = union('client to proxy, x1 query', [
  x1GetOffers,
  x1GetWorkers,
  x1GetWorkerProof,
  x1GetCharges,
])
export type X1ClientQuery = ValueOf<typeof x1ClientQueries>

export const x1Packets = union('x1.Packet', [
  x1CancelQuery,
  x1ClientPatience,
  x1KeepCharge,
  x1WorkerAnswer,
  x1ClientAnswer,
  x1RequestStory,
  x1WorkerAbilities,
  x1WorkerInstance,
  x1Claims,
])
