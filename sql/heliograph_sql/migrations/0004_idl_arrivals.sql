-- An IDL that is added while a stream is indexed: no row is written by the layouts of before, and what is decoded
-- late says who invoked the program, as it would have at once.

ALTER TABLE heliograph.streams ADD COLUMN idl_count bigint NOT NULL DEFAULT 0;
UPDATE heliograph.streams AS s
SET idl_count = (SELECT count(*) FROM heliograph.idls AS i WHERE i.stream = s.name);
COMMENT ON COLUMN heliograph.streams.idl_count IS 'IDLs that were added to it; a writer that decoded with fewer is refused and decodes anew.';

ALTER TABLE heliograph.undecoded ADD COLUMN caller text;
COMMENT ON COLUMN heliograph.undecoded.caller IS 'Address of the program that invoked it; NULL where the transaction did.';
