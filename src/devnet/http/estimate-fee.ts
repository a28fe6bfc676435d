/** The question for fees, which both API versions take alike and answer each in its own form. */
import { z } from 'zod'
import { estimateFees, type Fees } from '../estimate.ts'
import { type Method, method } from './method.ts'
import { address, cell, flag, optionalCell } from './params.ts'

export const estimateFee = (render: (fees: Fees) => unknown): Method =>
  method(
    z.object({
      address,
      body: cell,
      init_code: optionalCell,
      init_data: optionalCell,
      ignore_chksig: flag.default(true),
    }),
    async (e, p) =>
      render(
        await estimateFees(e.chain().vm, e.view(), {
          address: p.address,
          body: p.body,
          code: p.init_code || null,
          data: p.init_data || null,
          ignoreSignatures: p.ignore_chksig,
        }),
      ),
  )
