import proto, { type temporal } from '@temporalio/proto'

const { History } = proto.temporal.api.history.v1

export type History = temporal.api.history.v1.IHistory

/**
 * A recorded history as JSON text, an event a line. The SDK's own historyToJSON needs one shared copy of protobufjs, and npm lays out
 * three (a transitive package holds an older major version at the root).
 */
export function historyToJson(history: History): string {
  const object = History.toObject(History.fromObject(history), {
    longs: String,
    enums: String,
    bytes: String,
  })
  // Stack traces name the recorder's machine and are not part of what a replay looks at.
  const lines = (object.events ?? []).map((event: unknown) =>
    JSON.stringify(event, (key, value) => (key === 'stackTrace' ? undefined : value)),
  )
  return `{"events":[\n${lines.join(',\n')}\n]}\n`
}

export function historyFromJson(text: string): History {
  return History.fromObject(JSON.parse(text) as Record<string, unknown>)
}
