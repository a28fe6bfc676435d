/** Names of blocks. Source: spec/tl-constructors.json, `ton.*`. */
import { bytes, ctor, int, long, type FieldsOf } from '../lang.ts'
import { MAX_HASH_BYTES } from './limits.ts'

export const tonBlockIdExt = ctor(
  'ton.blockIdExt',
  {
    workchain: int,
    shard: long,
    seqno: int,
    rootHash: bytes({ max: MAX_HASH_BYTES }),
    fileHash: bytes({ max: MAX_HASH_BYTES }),
  },
  'ton.BlockIdExt',
)
export type BlockIdExt = FieldsOf<typeof tonBlockIdExt>
