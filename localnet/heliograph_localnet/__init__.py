"""A deterministic Solana cluster with a perpetual-futures market on it."""
