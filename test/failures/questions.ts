/** What is asked while nodes are killed, and what a right answer is: an answer to another question would be seen. */
export const WORD_EVERY_MS = 15
const WORDS = 10
export const USAGE = { prompt_tokens: 20, completion_tokens: WORDS, total_tokens: 20 + WORDS }

export const questionOf = (number: number): string => `question ${number}`
export const answerTo = (question: string): readonly string[] =>
  Array.from({ length: WORDS }, (_, i) => `${question}, word ${i}. `)
