/** A question and an answer for trying a transport. Source: spec/tl-constructors.json, `test.*`. */
import { ctor, long } from '../lang.ts'

export const testQuery = ctor('test.query', { id: long }, 'test.Answer')
export const testAnswer = ctor('test.answer', { id: long }, 'test.Answer')
