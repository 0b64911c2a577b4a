import { describeApi } from '../openapi.ts'
import { defineRoute, type Route } from '../route.ts'

/** @param others every other route; this one describes itself along with them. */
export function createOpenApiRoute(others: readonly Route[]): Route {
  let text: string | undefined
  const route: Route = defineRoute({
    name: 'GET /openapi.json',
    summary: 'This description, made from the schemas that requests are validated by',
    answer: { status: 200 },
    errors: [],
    handle() {
      text ??= JSON.stringify(describeApi([...others, route]))
      return { status: 200, body: text }
    },
  })
  return route
}
