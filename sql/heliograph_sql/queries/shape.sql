-- What there is of our schemas, for comparing it with what there has to be.

-- name: list_shape
SELECT 'column', format('%%s.%%s.%%s', n.nspname, c.relname, a.attname),
    format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
UNION ALL
-- On a hypertable as on a plain table; one that was left invalid serves nobody.
SELECT 'index', format('%%s.%%s', n.nspname, x.relname),
    CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || format('%%s (', m.amname) || (
        SELECT string_agg(pg_get_indexdef(i.indexrelid, k, false), ', ' ORDER BY k)
        FROM generate_series(1, i.indnkeyatts) AS k
    ) || format(') on %%s', c.relname) || coalesce(' where ' || pg_get_expr(i.indpred, i.indrelid), '')
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS m ON m.oid = x.relam
WHERE n.nspname = ANY (%(schemas)s) AND i.indisvalid;
