"""A perpetual-futures exchange in integers: order books, margin, funding, liquidations; knows nothing of chains."""
