"""JSON-RPC over HTTP: one endpoint, its limits, its errors."""
