/** Server-sent events of an answer, as they arrive in pieces of any size. */

/** Yields the JSON of each event until `[DONE]` or the end. */
export async function* eventsOf<T>(reply: Response): AsyncGenerator<T> {
  if (reply.body === null) return
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader()
  try {
    let rest = ''
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      const events = (rest + value).split(/\r?\n\r?\n/)
      rest = events.pop() ?? ''
      for (const event of events) {
        const text = event
          .split(/\r?\n/)
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5).trim())
          .join('\n')
        if (text === '[DONE]') return
        if (text !== '') yield JSON.parse(text) as T
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined)
  }
}
