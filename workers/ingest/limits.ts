/** Every bound of ingest, in one place. */

/** A cut must become one block in ClickHouse: 1.2 million rows became two, 200,000 (70 MB) stay one. */
export const CUT_MAX_ROWS = 200_000
export const CUT_MAX_BYTES = 20 * 1024 * 1024
/** A single record beyond this is poison: a client batch is at most 500 KB. */
export const RECORD_MAX_ROWS = 10_000

/** Records that are fetched and not yet in ClickHouse. Fetching stops above it; one fetch may come on top. */
export const BUFFER_MAX_BYTES = 40 * 1024 * 1024
export const FETCH_MAX_BYTES = 12 * 1024 * 1024
export const FETCH_MAX_BYTES_PER_PARTITION = 8 * 1024 * 1024
/**
 * How long the broker keeps a fetch that finds nothing: the first record ends it. An idle member's end waits for it, and so do its return
 * to a group that has moved on and the first fetch there.
 */
export const FETCH_MAX_WAIT_MS = 250

/**
 * Of what is caught up, fetches begin this long before the lane's next cut: time for an answer. Fetching all the while
 * brought each cut nothing sooner, and cost the broker a third of its CPU, ingest a fifth: each answer costs both sides the same, full
 * or not.
 */
export const FETCH_LEAD_MS = 30
/** From then on they come no closer than this, nor do those of a backlog while an insert runs: fewer, larger ones. */
export const FETCH_PAUSE_MS = 15
/** The same where a cut is overdue: its lane has nothing to cut, or cannot. */
export const FETCH_OVERDUE_PAUSE_MS = 40

/**
 * Partitions of a lane, which one member owns together and writes by joint cuts. Rows and declared cuts speak of lanes: to
 * change it, stop all members in order first.
 */
export const LANE_PARTITIONS = 3

/** Inserts in flight over all lanes of this process: a joint round is one, a round on a backlog one a partition. */
export const INSERTS_AT_ONCE = 2
/** A lane's next round starts this long after the last one, unless it is large already: fewer parts to merge. */
export const CUT_INTERVAL_MS = 220
/** From here on each partition's cut is an insert of its own: what an insert costs by itself no longer matters. */
export const CUT_LARGE_ROWS = 20_000

export { INSERT_DEADLINE_MS } from '../../kafka/cut-metadata.ts'

export const SESSION_TIMEOUT_MS = 6_000
export const HEARTBEAT_MS = 1_500

/** Retries count once when they come within this time. `ingest_seen` keeps its rows twice as long. */
export const RETRY_WINDOW_MS = 24 * 3_600_000
/** Memory of the filter before `ingest_seen`, in blocks of 1 MB: about half a million batches each. */
export const FILTER_MAX_BLOCKS = 128
/** Revoked tokens held in memory, 24 bytes a slot at half load. */
export const REVOKED_MAX_TOKENS = 2_000_000

/** First and longest pause between attempts when ClickHouse or Kafka is away. */
export const RETRY_FIRST_MS = 100
export const RETRY_LONGEST_MS = 5_000
/** A commit that fails for this long, without being fenced, ends the process: a supervisor starts it afresh. */
export const COMMIT_PATIENCE_MS = 60_000
