import type { Route } from './route.ts'
import { cancelRequest } from './routes/cancel-request.ts'
import { certifyPartial } from './routes/certify-partial.ts'
import { listRequests } from './routes/list-requests.ts'
import { placeHold } from './routes/place-hold.ts'
import { readCertificate } from './routes/read-certificate.ts'
import { readCheckpoint } from './routes/read-checkpoint.ts'
import { readHealth } from './routes/read-health.ts'
import { createOpenApiRoute } from './routes/read-openapi.ts'
import { readReport } from './routes/read-report.ts'
import { readRequest } from './routes/read-request.ts'
import { readTile } from './routes/read-tile.ts'
import { refuseRequest } from './routes/refuse-request.ts'
import { releaseHold } from './routes/release-hold.ts'
import { retryStore } from './routes/retry-store.ts'
import { submitRequest } from './routes/submit-request.ts'

const described: Route[] = [
  submitRequest,
  listRequests,
  readRequest,
  readCertificate,
  cancelRequest,
  refuseRequest,
  placeHold,
  releaseHold,
  retryStore,
  certifyPartial,
  readReport,
  readCheckpoint,
  readTile,
  readHealth,
]

/** Every route of the gateway. */
export const ROUTES: readonly Route[] = [...described, createOpenApiRoute(described)]
