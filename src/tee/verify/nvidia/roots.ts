/** The keys that NVIDIA's certificate chains must end in: SHA-256 of the SubjectPublicKeyInfo, hex. Browser-safe. */

/**
 * "NVIDIA Device Identity CA", P-384. The certificate's SHA-256 fingerprint is
 * 102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48.
 */
export const NVIDIA_DEVICE_ROOT = 'a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4'

/**
 * "NVIDIA CoRIM signing Root CA", P-384. The certificate's SHA-256 fingerprint is
 * 12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1.
 */
export const NVIDIA_MANIFEST_ROOT = 'dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3'
