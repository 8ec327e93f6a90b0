"""The database: migrations, named queries, pool, COPY writer, embedded server."""
