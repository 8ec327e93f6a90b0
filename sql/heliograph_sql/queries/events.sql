-- Rows of the tables that are made from IDLs, `<stream>.<event_name>`.

-- name: write_delete_rows
SELECT format(
    'DELETE FROM %I.%I AS t USING unnest($1::bigint[], $2::bigint[]) AS old (slot, block_time) '
    'WHERE t.block_time = to_timestamp(old.block_time) AND t.slot = old.slot AND t.block_time BETWEEN %L AND %L',
    $1::text, $2::text, to_timestamp($3::bigint), to_timestamp($4::bigint)
);

-- name: write_find_rows
-- Which of the given places a table has a row at.
SELECT format(
    'SELECT p.block_time, p.slot, p.tx_index, p.ordinal '
    'FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[]) AS p (block_time, slot, tx_index, ordinal) '
    'JOIN %I.%I AS t ON t.block_time = to_timestamp(p.block_time) AND t.slot = p.slot '
    'AND t.tx_index = p.tx_index AND t.ordinal = p.ordinal',
    $1::text, $2::text
);
