"""IDL to decoder and encoder."""
