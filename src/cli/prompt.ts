/** Questions to whoever sits at the terminal. Answers to secret ones are not shown. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CocoonError, Secret } from '../util/index.ts'

export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Throws `config.stopped` at Ctrl-C. */
async function ask(question: string, isHidden: boolean): Promise<string> {
  // Readline repeats what is typed; a secret goes to a stream that swallows it.
  const output = isHidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
  // First, since it switches the terminal's own echo off: whoever is quick to answer must not be shown.
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  process.stderr.write(question)
  const stopped = new Promise<never>((_, reject) => {
    lines.once('SIGINT', () => reject(new CocoonError('config.stopped', { message: 'stopped' })))
    lines.once('close', () => reject(new CocoonError('config.stopped', { message: 'no answer' })))
  })
  try {
    return await Promise.race([lines.question(''), stopped])
  } finally {
    stopped.catch(() => {})
    lines.close()
    if (isHidden) process.stderr.write('\n')
  }
}

export const askSecret = async (question: string): Promise<Secret<string>> => new Secret(await ask(question, true))

/** Whether the answer was yes. */
export const askYesNo = async (question: string): Promise<boolean> =>
  /^y(?:es)?$/i.test((await ask(`${question} [y/N] `, false)).trim())
