/**
 * Bounds on which the drain barrier of an erasure relies: the collector keeps them, the saga counts on them.
 */

/** From a collector's last look at a person's state to the last moment at which their records may leave for Kafka. */
export const ACK_TIMEOUT_MS = 5_000

/** How far the clocks of two machines may be apart. */
export const CLOCK_SLACK_MS = 1_000
