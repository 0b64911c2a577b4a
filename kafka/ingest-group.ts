/** Consumer group of workers/ingest, without the configured prefix. Its committed offsets say what is in ClickHouse. */
export const INGEST_GROUP = 'ingest'
