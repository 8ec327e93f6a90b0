-- The commit protocol (DESIGN section 4). Inside one transaction, in this order: rows, states, lock_stream,
-- extend_coverage, number_commit. Claims are made before, in a transaction of their own, so that others see them.

-- name: claim_range
-- A claim of our own that holds the range is prolonged; what has ended, or is ours and in the way, goes. One from the
-- future was made before the server's clock was set back, and has ended. Gives the holders whose claims went.
-- A claim need not survive a server that crashes, since no transaction of its holder does: its commit is not waited for.
WITH quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true) AS mode
), mine AS (
    UPDATE heliograph.claims
    SET expires = clock_timestamp() + make_interval(secs => $5), made = clock_timestamp()
    WHERE (SELECT mode FROM quick) = 'off' AND stream = $1 AND holder = $4 AND slots @> int8range($2, $3, '[]')
    RETURNING 1
), gone AS (
    DELETE FROM heliograph.claims
    WHERE stream = $1
      AND slots && int8range($2, $3, '[]')
      AND NOT (holder = $4 AND slots @> int8range($2, $3, '[]'))
      AND (
          holder = $4
          OR expires < clock_timestamp()
          OR made > clock_timestamp() + interval '1 second'
      )
    RETURNING holder
), claimed AS (
    INSERT INTO heliograph.claims (stream, slots, holder, expires)
    SELECT $1, int8range($2, $3, '[]'), $4, clock_timestamp() + make_interval(secs => $5)
    WHERE (SELECT count(*) FROM mine) = 0 AND (SELECT count(*) FROM gone) >= 0
)
SELECT DISTINCT holder FROM gone WHERE holder <> $4;

-- name: release_claims
DELETE FROM heliograph.claims
WHERE stream = $1 AND holder = $4 AND slots <@ int8range($2, $3, '[]');

-- name: lock_stream
-- NO KEY: rows that refer to the stream take its key share, and two writers that hold it would wait for each other.
SELECT epoch, seq, idl_count, coalesce(head_slot, first_slot) AS reached
FROM heliograph.streams
WHERE name = $1
FOR NO KEY UPDATE;

-- name: extend_coverage
-- A statement of its own after the lock: together with it, the snapshot would miss who committed while we waited.
-- A slot that is noted and not covered is an archive's that came meanwhile: it has to be cleared first.
UPDATE heliograph.coverage
SET slots = slots + int8multirange(int8range($2, $3, '[]')),
    audited = CASE WHEN $4 THEN audited + int8multirange(int8range($2, $3, '[]')) ELSE audited END
WHERE stream = $1
  AND NOT slots && int8range($2, $3, '[]')
  AND NOT EXISTS (SELECT FROM heliograph.slots WHERE stream = $1 AND slot BETWEEN $2 AND $3)
RETURNING true;

-- name: number_commit
WITH numbered AS (
    UPDATE heliograph.streams
    SET seq = seq + 1,
        head_time = CASE WHEN head_slot > $3 THEN head_time ELSE coalesce(to_timestamp($4::bigint), head_time) END,
        head_slot = greatest(head_slot, $3),
        final_slot = greatest(final_slot, (
            SELECT upper(range) - 1
            FROM heliograph.coverage, unnest(audited) AS range
            WHERE stream = $1 AND range @> first_slot
        ))
    WHERE name = $1
    RETURNING seq
), stored AS (
    INSERT INTO heliograph.slots (stream, slot, blockhash, parent, block_time, seq)
    SELECT $1, slot, blockhash, parent, to_timestamp(block_time), seq
    FROM numbered, unnest($6::bigint[], $7::text[], $8::bigint[], $9::bigint[]) AS s (slot, blockhash, parent, block_time)
), unclaimed AS (
    DELETE FROM heliograph.claims
    WHERE stream = $1 AND holder = $5 AND slots <@ int8range($2, $3, '[]')
), noted AS (
    INSERT INTO heliograph.incidents (stream, kind, slot, detail)
    SELECT $1, kind, slot, detail
    FROM unnest($10::text[], $11::bigint[], $12::jsonb[]) WITH ORDINALITY AS i (kind, slot, detail, number)
    ORDER BY number
), staled AS (
    INSERT INTO heliograph.stale_ranges (stream, first_time, last_time)
    SELECT $1, to_timestamp($15::bigint), to_timestamp($16::bigint)
    FROM heliograph.rollups
    WHERE stream = $1 AND through > to_timestamp($15::bigint)
), logged AS (
    INSERT INTO heliograph.commits
        (stream, seq, kind, origin, first_slot, last_slot, first_time, last_time, row_count)
    SELECT $1, seq, $13, $14, $2, $3, to_timestamp($15::bigint), to_timestamp($16::bigint), $17
    FROM numbered
)
SELECT seq, pg_notify('heliograph', $1 || ' ' || seq)
FROM numbered;

-- name: number_change
-- A commit that covers nothing new: corrections, refolded positions, accounts. Slots it wrote are stored before.
WITH numbered AS (
    UPDATE heliograph.streams
    SET seq = seq + 1,
        accounts_through = greatest(accounts_through, $9)
    WHERE name = $1
    RETURNING seq
), noted AS (
    INSERT INTO heliograph.incidents (stream, kind, slot, detail)
    SELECT $1, kind, slot, detail
    FROM unnest($10::text[], $11::bigint[], $12::jsonb[]) WITH ORDINALITY AS i (kind, slot, detail, number)
    ORDER BY number
), logged AS (
    INSERT INTO heliograph.commits
        (stream, seq, kind, origin, first_slot, last_slot, first_time, last_time, row_count)
    SELECT $1, seq, $2, $3, $4, $5, to_timestamp($6::bigint), to_timestamp($7::bigint), $8
    FROM numbered
)
SELECT seq, pg_notify('heliograph', $1 || ' ' || seq)
FROM numbered;
