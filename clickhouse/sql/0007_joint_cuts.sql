-- One insert may hold the cuts of several partitions. Its rows then have partition = 65535 - lane, cut_end = the sum of the lane's
-- ends, and here how far each partition of the lane was, `0:123,1:456,2:789`: a restore must know where to rewind each of them.
-- Like those two it comes out of the deduplication token, whose third field from the end has a colon for such cuts only. Rows of
-- other cuts have nothing here, those of before this column included: merges and queries know no token.
-- Few values a part, in any order of rows: a dictionary takes a byte or two a row where the text would take forty.
ALTER TABLE {db}.events_raw {on_cluster} ADD COLUMN IF NOT EXISTS cut LowCardinality(String)
    DEFAULT if(position(splitByChar('/', getSetting('insert_deduplication_token'))[-3], ':') = 0, '', splitByChar('/', getSetting('insert_deduplication_token'))[-3]);
