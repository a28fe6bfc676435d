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

export interface ChainArguments {
  readonly network: string
  readonly keyFile: string
  readonly ownerAddress: string
  readonly rootContractAddress?: string
  readonly endpoints?: readonly string[]
}

/** A network on TON: the first argument; who pays, and where the chain is, from the environment. */
export function chainOptions(): ChainArguments {
  const { COCOON_KEY_FILE: keyFile, COCOON_OWNER: ownerAddress, COCOON_ROOT: root } = process.env
  const endpoints = process.env['COCOON_TON_ENDPOINTS']
  const network = process.argv[2]
  if (network === undefined || keyFile === undefined || ownerAddress === undefined) {
    process.stderr.write(
      'Which network, and who pays? Give mainnet, testnet or devnet as an argument, COCOON_KEY_FILE with the 64 hex digits of\n' +
        'the wallet’s key (a node has one in keys/client.key), and COCOON_OWNER, the wallet that may take its money out.\n',
    )
    process.exit(2)
  }
  return {
    network,
    keyFile,
    ownerAddress,
    ...(root === undefined ? {} : { rootContractAddress: root }),
    ...(endpoints === undefined ? {} : { endpoints: endpoints.split(',') }),
  }
}

export const print = (text: string): void => void process.stdout.write(text)
