-- A stream is of one cluster, known by its genesis hash: another one at the same address must not be written into it.
ALTER TABLE heliograph.streams ADD COLUMN genesis text;
COMMENT ON COLUMN heliograph.streams.genesis IS 'Genesis hash of the cluster that it is of; NULL until one was asked for the first time.';
