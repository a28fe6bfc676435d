import { describe } from 'vitest'
import { createMemoryLedger } from './index.ts'
import { ledgerSuite } from './ledger.suite.ts'

describe('the in-memory ledger', () => ledgerSuite(createMemoryLedger))
