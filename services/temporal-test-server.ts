import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchJars } from './kafka.ts'
import { cacheHome, ensureTool } from './tool-cache.ts'

const VERSION = '1.38.0'

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ebb</groupId>
  <artifactId>temporal-test-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`

/**
 * Temporal's test server, whose clock skips what workflows sleep; fetched on first use.
 * @returns the path of an executable for `TestWorkflowEnvironment.createTimeSkipping({ server: { executable:
 * { type: 'existing-path', path } } })`.
 * @throws EbbError `missing_tool` without Maven, `command_failed` when the fetch fails.
 */
export async function fetchTemporalTestServer(
  environment: Record<string, string | undefined> = process.env,
  report: (line: string) => void = () => undefined,
): Promise<string> {
  const folder = await ensureTool(`temporal-test-server-${VERSION}`, {
    cache: cacheHome(environment),
    report: (line) => report(`Temporal test server ${VERSION}: ${line}`),
    fetch: (unfinished) =>
      fetchJars(unfinished, {
        pom: POM,
        task: `fetching the Temporal test server ${VERSION} with Maven`,
        context: { environment, report },
      }),
  })
  const wrapper = join(folder, 'temporal-test-server')
  // Written each time: the same bytes, and a cache that was filled by other means has none.
  await writeFile(
    wrapper,
    `#!/bin/sh\nexec java -cp '${folder}/jars/*' io.temporal.testserver.TestServer "$@"\n`,
  )
  await chmod(wrapper, 0o755)
  return wrapper
}
