"""From a Solana cluster to committed slots: IDL, walk, sources, protocols, pipeline."""
