-- Analysts: a group role that may read, and login roles in it. Run by psycopg. Roles are of the server, rights of the database.

-- name: find_rights
-- Whether the group is there, whether we may make roles, and whether this database knows what to let it read.
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'heliograph_analyst'), rolsuper OR rolcreaterole,
    to_regprocedure('heliograph.grant_analyst()') IS NOT NULL
FROM pg_roles
WHERE rolname = current_user;

-- name: create_group
CREATE ROLE heliograph_analyst NOLOGIN;

-- name: limit_group
-- For who lets the group itself log in; members get limits of their own, because settings of a group do not pass on.
ALTER ROLE heliograph_analyst SET statement_timeout = '5min';

-- name: grant
SELECT heliograph.grant_analyst();

-- name: list_members
SELECT m.rolname::text, m.rolconnlimit,
    coalesce((SELECT split_part(c, '=', 2) FROM unnest(m.rolconfig) AS c WHERE c LIKE 'statement\_timeout=%'), '0')
FROM pg_auth_members AS a
JOIN pg_roles AS g ON g.oid = a.roleid AND g.rolname = 'heliograph_analyst'
JOIN pg_roles AS m ON m.oid = a.member AND m.rolcanlogin
ORDER BY 1;

-- name: find_role
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(name)s);

-- name: check_member
SELECT EXISTS (
    SELECT
    FROM pg_auth_members AS a
    JOIN pg_roles AS g ON g.oid = a.roleid AND g.rolname = 'heliograph_analyst'
    JOIN pg_roles AS m ON m.oid = a.member
    WHERE m.rolname = %(name)s
);

-- name: write_member
-- The statements that make a login role; the password is its SCRAM verifier, so that no log of the server has it in clear.
SELECT format(s.text, %(name)s::text, s.value)
FROM (
    VALUES
        (1, 'CREATE ROLE %%1$I LOGIN PASSWORD %%2$L IN ROLE heliograph_analyst', %(password)s::text),
        (2, 'ALTER ROLE %%1$I CONNECTION LIMIT %%2$s', %(connections)s::text),
        (3, 'ALTER ROLE %%1$I SET statement_timeout = %%2$L', %(timeout_ms)s::text),
        (4, 'ALTER ROLE %%1$I SET idle_in_transaction_session_timeout = %%2$L', '5min'),
        (5, 'ALTER ROLE %%1$I SET default_transaction_read_only = %%2$s', 'on'),
        (6, 'ALTER ROLE %%1$I SET timezone = %%2$L', 'UTC'),
        (7, 'ALTER ROLE %%1$I SET search_path = %%2$s', 'perps, public'),
        -- The views of aggregates are wide plans of little work: compiling them takes longer than running them.
        (8, 'ALTER ROLE %%1$I SET jit = %%2$s', 'off')
) AS s (number, text, value)
ORDER BY s.number;

-- name: write_drop
SELECT format('DROP ROLE %%I', %(name)s::text);
