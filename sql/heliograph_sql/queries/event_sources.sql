-- The events of every stream's IDLs, as the API shows them.

-- name: list_events
-- In an order in which what comes later is newer, or sorts behind.
SELECT t.stream, t.program, t.item AS event, t.table_name,
    obj_description(to_regclass(format('%I.%I', t.stream, t.table_name)), 'pg_class') AS about
FROM heliograph.typed_tables AS t
JOIN heliograph.streams AS s ON s.name = t.stream
WHERE t.kind = 'event'
ORDER BY s.created_at, t.stream, t.table_name;

-- name: list_event_columns
SELECT c.stream, c.table_name, c.column_name, c.field, c.type, c.docs
FROM heliograph.typed_columns AS c
JOIN heliograph.typed_tables AS t ON t.stream = c.stream AND t.table_name = c.table_name
WHERE t.kind = 'event'
ORDER BY c.stream, c.table_name, c.number;

-- name: read_event_digest
-- Changes with everything that the two above tell; empty where there is nothing.
SELECT CASE WHEN count(*) = 0 THEN '' ELSE md5(concat_ws('/', count(*)::text, sum(hashtextextended(concat_ws(
    E'\n', s.created_at::text, t.stream, t.program, t.item, t.table_name, c.column_name, c.number::text, c.field, c.type, c.docs
), 0)::numeric)::text)) END
FROM heliograph.typed_tables AS t
JOIN heliograph.streams AS s ON s.name = t.stream
LEFT JOIN heliograph.typed_columns AS c ON c.stream = t.stream AND c.table_name = t.table_name
WHERE t.kind = 'event';
