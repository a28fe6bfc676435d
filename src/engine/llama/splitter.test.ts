import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSplitter, type Marks, type Piece } from './splitter.ts'

function run(marks: Marks, chunks: readonly string[]) {
  const splitter = createSplitter(marks)
  const pieces: Piece[] = []
  for (const chunk of chunks) {
    pieces.push(...splitter.push(chunk))
    if (splitter.ended !== undefined) break
  }
  if (splitter.ended === undefined) pieces.push(...splitter.finish())
  const text = (type: Piece['type']) =>
    pieces
      .filter((p) => p.type === type)
      .map((p) => p.text)
      .join('')
  return { content: text('content'), reasoning: text('reasoning'), ended: splitter.ended, pieces }
}

describe('stop strings', () => {
  test('text is cut before the stop string that is complete first, however it is chunked', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 8 }), stops, (chunks, stop) => {
        const whole = chunks.join('')
        // The shortest beginning that ends in a stop string, without the longest such string.
        const lengths = Array.from({ length: whole.length }, (_, i) => i + 1)
        const end = lengths.find((n) => stop.some((s) => whole.slice(0, n).endsWith(s)))
        const written = whole.slice(0, end)
        const cut = end === undefined ? 0 : Math.max(...stop.filter((s) => written.endsWith(s)).map((s) => s.length))
        const { content, ended } = run({ stop, call: [] }, chunks)
        expect(content).toBe(written.slice(0, written.length - cut))
        expect(ended?.why).toBe(end === undefined ? undefined : 'stop')
      }),
      { numRuns: 500 },
    )
  })

  test('text that cannot become a mark is shown at once', () => {
    const splitter = createSplitter({ stop: ['END'], call: [] })
    expect(splitter.push('one E')).toEqual([{ type: 'content', text: 'one ' }])
    expect(splitter.push('x')).toEqual([{ type: 'content', text: 'Ex' }])
  })
})

describe('thinking', () => {
  const thought = { open: '<think>', close: '</think>', isOpen: false }

  test('what stands between the marks is reasoning, the empty line after it is nothing', () => {
    for (const chunks of [['<think>\nhm', 'm</thi', 'nk>\n', '\nYes.'], '<think>\nhmm</think>\n\nYes.'.split('')]) {
      expect(run({ stop: [], call: [], thought }, chunks)).toMatchObject({ content: 'Yes.', reasoning: '\nhmm' })
    }
  })

  test('an answer may begin inside the thoughts', () => {
    expect(run({ stop: [], call: [], thought: { ...thought, isOpen: true } }, ['hmm</think>No.'])).toMatchObject({
      content: 'No.',
      reasoning: 'hmm',
    })
  })

  test('a stop string does not end thinking, and an opening mark within an answer is text', () => {
    expect(run({ stop: ['m'], call: [], thought }, ['<think>hm</think>x', 'my'])).toMatchObject({
      content: 'x',
      ended: { why: 'stop' },
    })
    expect(run({ stop: [], call: [], thought }, ['see <think> here'])).toMatchObject({
      content: 'see <think> here',
      reasoning: '',
    })
  })
})

describe('calls', () => {
  test('the mark of a call ends the text and gives what follows it', () => {
    expect(run({ stop: [], call: ['<tool_call>'] }, ['I look. <tool', '_call>\n{'])).toMatchObject({
      content: 'I look. ',
      ended: { why: 'call', after: '\n{' },
    })
  })
})
