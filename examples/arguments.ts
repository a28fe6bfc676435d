/** What the examples are told on the command line, with words for when something is missing. */

/** Path of the network file: the first argument, or COCOON_NETWORK. */
export function networkFile(): string {
  const path = process.argv[2] ?? process.env['COCOON_NETWORK']
  if (path !== undefined && path !== '') return path
  process.stderr.write(
    'Which network? Give the path of its file, as an argument or as COCOON_NETWORK.\n' +
      'A network on your own machine: run `npm start`; it says where its network file is.\n',
  )
  process.exit(2)
}

/** Base URL of a client node's HTTP API: the first argument, or COCOON_URL, or where a node listens by default. */
export function nodeUrl(): string {
  return process.argv[2] ?? process.env['COCOON_URL'] ?? 'http://127.0.0.1:10000/v1'
}

export const print = (text: string): void => void process.stdout.write(text)
