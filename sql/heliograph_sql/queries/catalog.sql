-- What the database itself knows of its tables.

-- name: list_columns
SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column,
    format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
    col_description(c.oid, a.attnum) AS comment, obj_description(c.oid, 'pg_class') AS table_comment,
    c.relkind = 'v' AS view
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v')
ORDER BY n.nspname, c.relname, a.attnum;
