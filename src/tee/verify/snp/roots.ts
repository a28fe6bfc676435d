/** The keys that AMD's certificate chains must end in. Browser-safe. */
import type { SnpProduct } from '../../quote/snp-tcb.ts'

export interface SnpRoot {
  readonly product: SnpProduct
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly keyPin: string
}

/**
 * The RSA-4096 keys of ARK-Milan, ARK-Genoa and ARK-Turin. The certificates that carry them have the SHA-256 fingerprints
 * 69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd,
 * 4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1 and
 * 1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a.
 */
export const AMD_ROOTS: readonly SnpRoot[] = [
  { product: 'Milan', keyPin: '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9' },
  { product: 'Genoa', keyPin: '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831' },
  { product: 'Turin', keyPin: '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08' },
]
