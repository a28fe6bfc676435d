/**
 * The wire language and its schema; browser-safe. A definition is the type, the codec, the limits and the documentation at
 * once: `encode(tcpPing, { id: 1n })`, `decodeOneOf(tcpPackets, bytes)`, `ValueOf<typeof clientRunQueryEx>`. Boxed values
 * carry their constructor's name as `_`; bare ones are their fields. The rules of the encoding are in spec/tl.md.
 */
export { abilitiesOf, encodableAbilities } from './abilities.ts'
export * from './codec.ts'
export { TL_ERRORS, tlError, type TlErrorCode, type TlPlace } from './errors.ts'
export * from './lang.ts'
export * from './schema/index.ts'
export { stringSize } from './strings.ts'
