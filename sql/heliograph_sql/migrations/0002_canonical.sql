-- The canonical tables: one shape for every protocol. docs/tables.md gives the unit and sign of each column.
-- Event-like tables are keyed and ordered by (block_time, slot, tx_index, ordinal, stream, part): block_time first,
-- because hypertables are cut by it and a unique index must contain it.

CREATE SCHEMA perps;

CREATE TABLE perps.position_changes (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('open', 'increase', 'decrease', 'funding', 'liquidation', 'close')),
    side text NOT NULL CHECK (side IN ('long', 'short')),
    size_delta numeric NOT NULL,
    size_after numeric,
    price numeric,
    entry_price_after numeric,
    collateral_delta numeric,
    collateral_after numeric,
    realized_pnl numeric NOT NULL,
    fee numeric NOT NULL,
    funding numeric NOT NULL,
    liquidation_price_after numeric,
    trade_id text,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX position_changes_by_market ON perps.position_changes (market, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX position_changes_by_wallet ON perps.position_changes (wallet, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX position_changes_by_position_key ON perps.position_changes (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.trades (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    trade_id text NOT NULL,
    taker text,
    taker_side text NOT NULL CHECK (taker_side IN ('long', 'short')),
    maker text,
    price numeric NOT NULL,
    size numeric NOT NULL,
    quote numeric NOT NULL,
    taker_fee numeric NOT NULL,
    maker_fee numeric NOT NULL,
    taker_position_key text,
    maker_position_key text,
    taker_order_id text,
    maker_order_id text,
    liquidation boolean NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX trades_by_market ON perps.trades (market, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX trades_by_taker ON perps.trades (taker, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX trades_by_maker ON perps.trades (maker, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX trades_by_taker_position_key ON perps.trades (taker_position_key, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX trades_by_maker_position_key ON perps.trades (maker_position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.funding_rates (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    mark_price numeric,
    index_price numeric,
    premium numeric,
    interest numeric,
    rate numeric NOT NULL,
    interval_seconds integer NOT NULL,
    interval_rate numeric NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX funding_rates_by_market ON perps.funding_rates (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.funding_payments (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    side text NOT NULL CHECK (side IN ('long', 'short')),
    size numeric NOT NULL,
    rate numeric NOT NULL,
    interval_seconds integer NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX funding_payments_by_market ON perps.funding_payments (market, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX funding_payments_by_wallet ON perps.funding_payments (wallet, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX funding_payments_by_position_key ON perps.funding_payments (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.liquidations (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    liquidation_id text NOT NULL,
    wallet text NOT NULL,
    liquidator text,
    position_key text NOT NULL,
    side text NOT NULL CHECK (side IN ('long', 'short')),
    size numeric NOT NULL,
    price numeric NOT NULL,
    mark_price numeric,
    quote numeric NOT NULL,
    fee numeric NOT NULL,
    realized_pnl numeric,
    bad_debt numeric NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX liquidations_by_market ON perps.liquidations (market, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX liquidations_by_wallet ON perps.liquidations (wallet, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX liquidations_by_position_key ON perps.liquidations (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.oracle_prices (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    source text NOT NULL,
    oracle text,
    price numeric NOT NULL,
    confidence numeric,
    publish_time timestamptz NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX oracle_prices_by_market ON perps.oracle_prices (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.transfers (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('deposit', 'withdraw', 'lock', 'release')),
    amount numeric NOT NULL,
    free_delta numeric NOT NULL,
    locked_delta numeric NOT NULL,
    free_after numeric,
    locked_after numeric,
    position_key text,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX transfers_by_wallet ON perps.transfers (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE TABLE perps.markets (
    stream text NOT NULL,
    market text NOT NULL,
    program text NOT NULL,
    symbol text NOT NULL,
    base_asset text NOT NULL,
    quote_asset text NOT NULL,
    oracle text,
    tick_size numeric,
    lot_size numeric,
    initial_margin_ratio numeric,
    maintenance_margin_ratio numeric,
    taker_fee_rate numeric,
    maker_fee_rate numeric,
    funding_interval_seconds integer,
    created_slot bigint NOT NULL,
    created_at timestamptz NOT NULL,
    account_slot bigint,
    mark_price numeric,
    index_price numeric,
    funding_rate numeric,
    open_interest_long numeric,
    open_interest_short numeric,
    PRIMARY KEY (stream, market)
);
CREATE INDEX markets_by_symbol ON perps.markets (symbol, stream, market);

CREATE TABLE perps.positions (
    stream text NOT NULL,
    position_key text NOT NULL,
    opened_slot bigint NOT NULL,
    opened_tx_index integer NOT NULL,
    opened_ordinal integer NOT NULL,
    lifecycle integer NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    side text NOT NULL CHECK (side IN ('long', 'short')),
    status text NOT NULL CHECK (status IN ('open', 'closed', 'liquidated')),
    size numeric,
    max_size numeric,
    entry_price numeric,
    exit_price numeric,
    collateral numeric,
    liquidation_price numeric,
    realized_pnl numeric NOT NULL,
    fees numeric NOT NULL,
    funding numeric NOT NULL,
    changes integer NOT NULL,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    closed_at timestamptz,
    closed_slot bigint,
    complete boolean NOT NULL,
    settled boolean NOT NULL,
    PRIMARY KEY (stream, position_key, opened_slot, opened_tx_index, opened_ordinal)
);
CREATE INDEX positions_by_wallet ON perps.positions (wallet, opened_at, opened_slot, opened_tx_index, opened_ordinal);
CREATE INDEX positions_by_market ON perps.positions (market, opened_at, opened_slot, opened_tx_index, opened_ordinal);
CREATE INDEX positions_by_opened ON perps.positions (opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE TABLE perps.balances (
    stream text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    free numeric NOT NULL,
    locked numeric NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    PRIMARY KEY (stream, wallet, asset)
);
CREATE INDEX balances_by_wallet ON perps.balances (wallet, asset, stream);
