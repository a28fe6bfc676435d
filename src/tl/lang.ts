/** The words that the schema is written in. */
export { bare, boxed, type Unread, unreadVector, vector, when } from './compound.ts'
export { ctor, MAX_DEPTH } from './ctor.ts'
export { bool, double, flags, int, int128, int256, long, MAX_FLAGS } from './scalars.ts'
export { bytes, latin1, MAX_STRING_BYTES, string } from './strings.ts'
export type { AnyCtor, Ctor, CtorFacts, Field, FieldsOf, Shape, Type, Union, ValueOf, When } from './types.ts'
export { union } from './union.ts'
