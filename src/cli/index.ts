/** The command line: the only place that reads the environment and puts things together. Its entry is main.ts. */
export { renderConfigurationDocs } from './config-docs.ts'
export { type Loaded, loadConfig, type Sources } from './config.ts'
export { type Config, configSchema } from './schema.ts'
