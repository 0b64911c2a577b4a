import { destroySecrets } from '../postgres/destroy-secrets.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { readConfig } from '../runtime/config.ts'

// Destroys the secrets of the ids given as arguments; with EBB_FAULT it dies on the way.
const config = readConfig()
const provider = await openKeyProvider(config)
await destroySecrets({ keyringUrl: config.postgres.keyringUrl, provider }, process.argv.slice(2))
