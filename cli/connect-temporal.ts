import { Connection } from '@temporalio/client'
import { EbbError } from '../runtime/errors.ts'

/** Connects for one command. @param address `host:port`. @throws EbbError `temporal_unreachable` after 5 s */
export async function connectTemporal(address: string): Promise<Connection> {
  try {
    return await Connection.connect({ address, connectTimeout: '5s' })
  } catch (cause) {
    throw new EbbError(
      'temporal_unreachable',
      `Temporal does not answer at ${address}: is the platform up?`,
      {
        cause,
      },
    )
  }
}
