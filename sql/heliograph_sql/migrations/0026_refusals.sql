-- A statement that finds out while it runs that it asks for too much: it fails with a message for whoever asked.

CREATE FUNCTION heliograph.refuse(message text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = message, ERRCODE = 'HG001';
END
$$;
COMMENT ON FUNCTION heliograph.refuse IS 'Fails with SQLSTATE HG001 and the message, which is for whoever asked.';
