/** The schema as we define it against the table of what other implementations have. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { allConstructors, type AnyCtor, primitives, x1Constructors } from '../../src/tl/index.ts'

interface Row {
  readonly name: string
  readonly id: string
  readonly fields: readonly { readonly name: string; readonly type: string; readonly flag?: number }[]
  readonly result: string
}

const rows: readonly Row[] = JSON.parse(
  readFileSync(new URL('../../spec/tl-constructors.json', import.meta.url), 'utf8'),
)
const hex = (id: number): string => `0x${id.toString(16).padStart(8, '0')}`

const rowOf = (def: AnyCtor): Row => ({
  name: def.name,
  id: hex(def.id),
  fields: def.layout.map(({ tlName, type, flag }) =>
    flag === undefined ? { name: tlName, type: type.tl } : { name: tlName, type: type.tl, flag },
  ),
  result: def.result,
})

/** Fields were appended to these while their ids stayed. The CRC-32 of their present declarations, for the record. */
const PINNED: Readonly<Record<string, string>> = {
  'worker.params': '0xebddc42d',
  'proxy.params': '0x255d81fa',
  'client.params': '0x1e80c9d3',
  'client.workerInstanceV2': '0x7abfe18c',
  'client.runQueryEx': '0x2a223a90',
  'proxy.runQueryEx': '0x57eefa78',
}

/** CRC-32 bit by bit: another way to the same number as the product's table. */
function crc32(text: string): number {
  let crc = 0xffff_ffff
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1))
  }
  return ~crc >>> 0
}

describe('the table of 114 constructors', () => {
  test('has no row that the schema lacks, and the schema has no constructor that the table lacks', () => {
    const ours = [...primitives, ...allConstructors].map(({ name }) => name)
    expect(ours.toSorted()).toEqual(rows.map(({ name }) => name).toSorted())
    expect(rows).toHaveLength(114)
  })

  test.each(allConstructors.map((def) => [def.name, def] as const))(
    '%s has the id, the fields in order, the types, the flags and the result of its row',
    (name, def) => {
      const row = rows.find((one) => one.name === name)
      expect(rowOf(def)).toEqual({ name, id: row?.id, fields: row?.fields, result: row?.result })
    },
  )

  test.each(primitives.map((one) => [one.name, one] as const))(
    'the built-in %s has the id and the result of its row',
    (name, one) => {
      const row = rows.find((other) => other.name === name)
      expect({ id: hex(one.id), result: one.result }).toEqual({ id: row?.id, result: row?.result })
    },
  )
})

describe('ids', () => {
  test.each([...allConstructors, ...x1Constructors].map((def) => [def.name, def] as const))(
    '%s: the id is the CRC-32 of the declaration, or one of the six that kept theirs',
    (name, def) => {
      expect(hex(crc32(def.line))).toBe(PINNED[name] ?? hex(def.id))
      expect(name in PINNED).toBe(hex(crc32(def.line)) !== hex(def.id))
    },
  )

  test('no two constructors share an id, ours for cocoon-x1 included', () => {
    const ids = [...primitives, ...allConstructors, ...x1Constructors].map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('our extension has ids that no release may change', () => {
    expect(x1Constructors.map(({ name, id, line }) => [name, hex(id), line])).toEqual([
      ['x1.cancelQuery', '0xe5e71ed3', 'x1.cancelQuery request_id:int256 = x1.Packet'],
      ['x1.clientPatience', '0x7d70a568', 'x1.clientPatience lost_worker_ms:int = x1.Packet'],
      ['x1.keepCharge', '0x783a12fd', 'x1.keepCharge request_id:int256 = x1.Packet'],
      [
        'x1.workerAnswer',
        '0x85977988',
        'x1.workerAnswer request_id:int256 head:bytes body:bytes final_info:proxy.queryFinalInfo = x1.Packet',
      ],
      [
        'x1.clientAnswer',
        '0x26e22c60',
        'x1.clientAnswer request_id:int256 head:bytes body:bytes proxy_start_time:double proxy_end_time:double worker_start_time:double worker_end_time:double = x1.Packet',
      ],
      [
        'x1.attempt',
        '0x20b5fab6',
        'x1.attempt flags:# worker:string sent_ms:int first_answer_ms:flags.0?int ended_ms:flags.1?int ended:flags.1?string = x1.Attempt',
      ],
      [
        'x1.requestStory',
        '0xf54746f6',
        'x1.requestStory request_id:int256 queued_ms:int attempts:vector x1.attempt = x1.Packet',
      ],
      [
        'x1.abilities',
        '0x203afee5',
        'x1.abilities flags:# can:vector string cannot:vector string context_length:flags.0?int = x1.Abilities',
      ],
      ['x1.workerAbilities', '0x98d0018e', 'x1.workerAbilities abilities:x1.abilities = x1.Packet'],
      ['x1.workerInstance', '0xe84e9501', 'x1.workerInstance instance:int256 = x1.Packet'],
      ['x1.getOffers', '0x58d32341', 'x1.getOffers = x1.Offers'],
      [
        'x1.worker',
        '0xc45f512a',
        'x1.worker flags:# coefficient:int active_requests:int max_active_requests:int evidence:string abilities:flags.0?x1.abilities instance:flags.1?int256 = x1.Worker',
      ],
      ['x1.model', '0x5f9ff56c', 'x1.model name:string workers:vector x1.worker = x1.Model'],
      ['x1.offers', '0x34647bb0', 'x1.offers models:vector x1.model = x1.Offers'],
      ['x1.claims', '0x3770bc89', 'x1.claims claims:bytes signature:bytes = x1.Packet'],
      ['x1.getWorkers', '0x80f07a3c', 'x1.getWorkers = x1.Workers'],
      ['x1.shownWorker', '0xbe96724c', 'x1.shownWorker id:int256 model:string = x1.ShownWorker'],
      ['x1.workers', '0x63f32ff0', 'x1.workers workers:vector x1.shownWorker = x1.Workers'],
      ['x1.getWorkerProof', '0x688f10c7', 'x1.getWorkerProof id:int256 = x1.WorkerProof'],
      [
        'x1.workerProof',
        '0xba6bf575',
        'x1.workerProof certificate:bytes claims:bytes signature:bytes = x1.WorkerProof',
      ],
      ['x1.getCharges', '0x8615878b', 'x1.getCharges names:vector int128 = x1.Charges'],
      ['x1.charge', '0xef1f7725', 'x1.charge flags:# name:int128 tokens:long = x1.Charge'],
      ['x1.charges', '0x92027190', 'x1.charges known_for_s:int charges:vector x1.charge = x1.Charges'],
    ])
  })
})
