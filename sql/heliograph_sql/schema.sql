-- The sum of all migrations, for reading; made by `pytest tests/sql/test_catalog.py --regenerate`.

CREATE SCHEMA heliograph;

COMMENT ON SCHEMA heliograph IS 'Operation: what is indexed, how far, by whom and in which order.';

CREATE SCHEMA perps;

COMMENT ON SCHEMA perps IS 'Canonical tables: one shape for every protocol. Amounts are exact, in human units.';

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE TABLE heliograph.accounts (
    stream text NOT NULL,
    address text NOT NULL,
    program text NOT NULL,
    name text,
    slot bigint NOT NULL,
    lamports bigint NOT NULL,
    data bytea NOT NULL,
    fields jsonb,
    reason text
);

COMMENT ON TABLE heliograph.accounts IS 'Current state of the accounts that the stream''s programs own; closed ones keep a row with 0 lamports.';

COMMENT ON COLUMN heliograph.accounts.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.accounts.address IS 'Address of the account, base58.';

COMMENT ON COLUMN heliograph.accounts.program IS 'Program that owns it, base58.';

COMMENT ON COLUMN heliograph.accounts.name IS 'Its type in the IDL; NULL where no layout fits.';

COMMENT ON COLUMN heliograph.accounts.slot IS 'Context slot at which it was seen.';

COMMENT ON COLUMN heliograph.accounts.lamports IS 'Lamports; 0 once it is closed.';

COMMENT ON COLUMN heliograph.accounts.data IS 'Its bytes.';

COMMENT ON COLUMN heliograph.accounts.fields IS 'Its decoded fields, named as in the IDL; integers exact, addresses base58, bytes base64.';

COMMENT ON COLUMN heliograph.accounts.reason IS 'Why it could not be decoded; NULL where it was.';

CREATE TABLE heliograph.claims (
    stream text NOT NULL,
    slots int8range NOT NULL,
    holder text NOT NULL,
    expires timestamp with time zone NOT NULL
);

COMMENT ON TABLE heliograph.claims IS 'Ranges that a writer is fetching now, so that no two fetch the same.';

COMMENT ON COLUMN heliograph.claims.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.claims.slots IS 'The range that is claimed.';

COMMENT ON COLUMN heliograph.claims.holder IS 'The process that holds it.';

COMMENT ON COLUMN heliograph.claims.expires IS 'When the claim ends by itself, by the database''s clock.';

CREATE TABLE heliograph.commits (
    stream text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    first_slot bigint NOT NULL,
    last_slot bigint NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone,
    row_count integer NOT NULL,
    committed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT commits_kind_check CHECK ((kind = ANY (ARRAY['apply'::text, 'correct'::text, 'amend'::text, 'accounts'::text]))),
    CONSTRAINT commits_origin_check CHECK ((origin = ANY (ARRAY['live'::text, 'heal'::text, 'backfill'::text, 'replay'::text])))
);

COMMENT ON TABLE heliograph.commits IS 'The commit log: subscriptions read it by seq, so order and resume come for free.';

COMMENT ON COLUMN heliograph.commits.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.commits.seq IS 'Number of the commit in its stream: gap-free, in commit order.';

COMMENT ON COLUMN heliograph.commits.kind IS 'apply: new slots; correct: slots rewritten whole; amend: late history folded into positions; accounts: account states.';

COMMENT ON COLUMN heliograph.commits.origin IS 'live: at the head; heal: a gap; backfill: a range on request; replay: rows made again.';

COMMENT ON COLUMN heliograph.commits.first_slot IS 'First slot that it speaks of.';

COMMENT ON COLUMN heliograph.commits.last_slot IS 'Last slot that it speaks of.';

COMMENT ON COLUMN heliograph.commits.first_time IS 'Block time of the first slot that holds rows; NULL where none does.';

COMMENT ON COLUMN heliograph.commits.last_time IS 'Block time of the last slot that holds rows; NULL where none does.';

COMMENT ON COLUMN heliograph.commits.row_count IS 'Rows that it wrote: transactions, events and undecoded; accounts; positions that it folded anew.';

COMMENT ON COLUMN heliograph.commits.committed_at IS 'When it was written, by the database''s clock.';

CREATE TABLE heliograph.coverage (
    stream text NOT NULL,
    slots int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    audited int8multirange DEFAULT '{}'::int8multirange NOT NULL
);

COMMENT ON TABLE heliograph.coverage IS 'Which slots are complete; grows in the transaction that writes their rows.';

COMMENT ON COLUMN heliograph.coverage.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.coverage.slots IS 'The complete slots. A slot outside may have rows missing; the gaps are the complement from first_slot on.';

COMMENT ON COLUMN heliograph.coverage.audited IS 'Those of them that were final when they were fetched, or were compared with the final chain since.';

CREATE TABLE heliograph.dirty (
    stream text NOT NULL,
    position_key text NOT NULL
);

COMMENT ON TABLE heliograph.dirty IS 'Positions that late history touched and the leader has not folded anew yet.';

COMMENT ON COLUMN heliograph.dirty.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.dirty.position_key IS 'Key of the position, as in perps.positions.';

CREATE TABLE heliograph.idls (
    stream text NOT NULL,
    program text NOT NULL,
    first_slot bigint NOT NULL,
    sha256 text NOT NULL,
    idl jsonb NOT NULL
);

COMMENT ON TABLE heliograph.idls IS 'The layouts in force, each from its first slot.';

COMMENT ON COLUMN heliograph.idls.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.idls.program IS 'Address of the program, base58.';

COMMENT ON COLUMN heliograph.idls.first_slot IS 'First slot at which the layout is in force.';

COMMENT ON COLUMN heliograph.idls.sha256 IS 'SHA-256 of the IDL''s text, hexadecimal.';

COMMENT ON COLUMN heliograph.idls.idl IS 'The IDL.';

CREATE TABLE heliograph.incidents (
    id bigint NOT NULL,
    stream text NOT NULL,
    kind text NOT NULL,
    slot bigint,
    detail jsonb NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE heliograph.incidents IS 'What went wrong and what was done about it.';

COMMENT ON COLUMN heliograph.incidents.id IS 'Number of the incident.';

COMMENT ON COLUMN heliograph.incidents.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.incidents.kind IS 'What went wrong.';

COMMENT ON COLUMN heliograph.incidents.slot IS 'Slot that it concerns; NULL where none.';

COMMENT ON COLUMN heliograph.incidents.detail IS 'What is known of it.';

COMMENT ON COLUMN heliograph.incidents.at IS 'When it was noted, by the database''s clock.';

ALTER TABLE heliograph.incidents ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME heliograph.incidents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE heliograph.schema_migrations (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE heliograph.schema_migrations IS 'Which migrations this database has.';

COMMENT ON COLUMN heliograph.schema_migrations.name IS 'Name of the migration''s file.';

COMMENT ON COLUMN heliograph.schema_migrations.sha256 IS 'SHA-256 of its text.';

COMMENT ON COLUMN heliograph.schema_migrations.applied_at IS 'When it was applied.';

CREATE TABLE heliograph.signatures (
    signature text NOT NULL,
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL
);

COMMENT ON TABLE heliograph.signatures IS 'Where a signature stands; not cut by time.';

COMMENT ON COLUMN heliograph.signatures.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN heliograph.signatures.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN heliograph.signatures.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN heliograph.signatures.slot IS 'Slot of the block.';

COMMENT ON COLUMN heliograph.signatures.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

CREATE TABLE heliograph.slots (
    stream text NOT NULL,
    slot bigint NOT NULL,
    blockhash text,
    parent bigint,
    block_time timestamp with time zone NOT NULL,
    seq bigint NOT NULL
);

COMMENT ON TABLE heliograph.slots IS 'Every slot that holds a transaction of the stream; seq is the commit that last wrote it. One that is not covered is an archive''s.';

COMMENT ON COLUMN heliograph.slots.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.slots.slot IS 'The slot.';

COMMENT ON COLUMN heliograph.slots.blockhash IS 'Hash of its block, base58; NULL where the source did not tell, or a correction emptied the slot.';

COMMENT ON COLUMN heliograph.slots.parent IS 'Slot of the parent block; NULL where unknown.';

COMMENT ON COLUMN heliograph.slots.block_time IS 'Time of its block; the nearest earlier block''s where it has none.';

COMMENT ON COLUMN heliograph.slots.seq IS 'The commit that last wrote the slot.';

CREATE TABLE heliograph.streams (
    name text NOT NULL,
    protocol text NOT NULL,
    programs text[] NOT NULL,
    first_slot bigint NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    head_slot bigint,
    head_time timestamp with time zone,
    final_slot bigint,
    accounts_through bigint,
    leader text,
    leader_expires timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    idl_count bigint DEFAULT 0 NOT NULL,
    genesis text,
    log_events boolean DEFAULT false NOT NULL,
    instructions boolean DEFAULT false NOT NULL
);

COMMENT ON TABLE heliograph.streams IS 'A named set of programs that is indexed, covered, numbered and finalized as one.';

COMMENT ON COLUMN heliograph.streams.name IS 'Name of the stream; its decoded events are in the schema of this name.';

COMMENT ON COLUMN heliograph.streams.protocol IS 'The protocol that projects its events to schema perps.';

COMMENT ON COLUMN heliograph.streams.programs IS 'Addresses of its programs, base58.';

COMMENT ON COLUMN heliograph.streams.first_slot IS 'The first slot that was asked for; completeness is counted from here.';

COMMENT ON COLUMN heliograph.streams.epoch IS 'Grows with each change of leader; a writer of an older epoch is refused.';

COMMENT ON COLUMN heliograph.streams.seq IS 'Number of the latest commit; gap-free and in commit order.';

COMMENT ON COLUMN heliograph.streams.head_slot IS 'Highest slot that any commit covered.';

COMMENT ON COLUMN heliograph.streams.head_time IS 'Time of the last block at or below head_slot, where known.';

COMMENT ON COLUMN heliograph.streams.final_slot IS 'Rows at or below are final; NULL until the first audit.';

COMMENT ON COLUMN heliograph.streams.accounts_through IS 'Context slot of the last account snapshot that was reconciled.';

COMMENT ON COLUMN heliograph.streams.leader IS 'The process that leads the head of the stream; NULL where none does.';

COMMENT ON COLUMN heliograph.streams.leader_expires IS 'Until when the leader leads unless it renews, by the database''s clock.';

COMMENT ON COLUMN heliograph.streams.created_at IS 'When the stream was added.';

COMMENT ON COLUMN heliograph.streams.idl_count IS 'IDLs that were added to it; a writer that decoded with fewer is refused and decodes anew.';

COMMENT ON COLUMN heliograph.streams.genesis IS 'Genesis hash of the cluster that it is of; NULL until one was asked for the first time.';

COMMENT ON COLUMN heliograph.streams.log_events IS 'Text that the programs print behind Program log: may be an event in base64; for protocols that are known the protocol says it.';

COMMENT ON COLUMN heliograph.streams.instructions IS 'Instructions have tables too.';

CREATE TABLE heliograph.transactions (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    signature text NOT NULL,
    err jsonb,
    err_name text,
    fee bigint,
    fee_payer text,
    priority_fee bigint,
    compute_units bigint,
    version text,
    truncated boolean NOT NULL
);

COMMENT ON TABLE heliograph.transactions IS 'Every transaction that mentions a program of the stream, failed ones too.';

COMMENT ON COLUMN heliograph.transactions.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN heliograph.transactions.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN heliograph.transactions.slot IS 'Slot of the block.';

COMMENT ON COLUMN heliograph.transactions.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN heliograph.transactions.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN heliograph.transactions.err IS 'The cluster''s error, NULL where the transaction succeeded.';

COMMENT ON COLUMN heliograph.transactions.err_name IS 'The IDL''s name of a custom error.';

COMMENT ON COLUMN heliograph.transactions.fee IS 'Lamports, priority fee included; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.fee_payer IS 'Address that paid the fee, base58; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.priority_fee IS 'Lamports, part of fee; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.compute_units IS 'Compute units that it used; NULL where unknown.';

COMMENT ON COLUMN heliograph.transactions.version IS 'legacy, 0 or 1; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.truncated IS 'The cluster cut the log lines; events by log may be missing.';

CREATE TABLE heliograph.typed_columns (
    stream text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    number integer NOT NULL,
    field text NOT NULL,
    type text NOT NULL,
    docs text NOT NULL
);

COMMENT ON TABLE heliograph.typed_columns IS 'Which column holds which field; a field whose type changed has a column for each type.';

COMMENT ON COLUMN heliograph.typed_columns.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.typed_columns.table_name IS 'Table in the stream''s schema.';

COMMENT ON COLUMN heliograph.typed_columns.column_name IS 'Its column; it stays.';

COMMENT ON COLUMN heliograph.typed_columns.number IS 'Order in which columns were made, from 1.';

COMMENT ON COLUMN heliograph.typed_columns.field IS 'The field''s name in the IDL; of an instruction, account:NAME is the address of an account.';

COMMENT ON COLUMN heliograph.typed_columns.type IS 'Type of the column.';

COMMENT ON COLUMN heliograph.typed_columns.docs IS 'What the latest IDL that has the field says of it; empty where it says nothing.';

CREATE TABLE heliograph.typed_tables (
    stream text NOT NULL,
    kind text NOT NULL,
    program text NOT NULL,
    item text NOT NULL,
    table_name text NOT NULL,
    CONSTRAINT typed_tables_kind_check CHECK ((kind = ANY (ARRAY['event'::text, 'account'::text, 'instruction'::text, 'history'::text, 'unknown'::text])))
);

COMMENT ON TABLE heliograph.typed_tables IS 'Which table of a stream''s schema holds which event, account type or instruction of its IDLs.';

COMMENT ON COLUMN heliograph.typed_tables.stream IS 'The stream; its schema has the same name.';

COMMENT ON COLUMN heliograph.typed_tables.kind IS 'event, account or instruction; history: past states of all accounts; unknown: instructions that no IDL reads.';

COMMENT ON COLUMN heliograph.typed_tables.program IS 'Address of the program, base58; empty for history and unknown.';

COMMENT ON COLUMN heliograph.typed_tables.item IS 'Its name in the IDL; empty for history and unknown.';

COMMENT ON COLUMN heliograph.typed_tables.table_name IS 'Its table; it stays.';

CREATE TABLE heliograph.undecoded (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    channel text NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    caller text
);

COMMENT ON TABLE heliograph.undecoded IS 'What a program said that is in no other table as it was said: no layout fits it, or a row made from it was refused; nothing is dropped.';

COMMENT ON COLUMN heliograph.undecoded.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN heliograph.undecoded.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN heliograph.undecoded.slot IS 'Slot of the block.';

COMMENT ON COLUMN heliograph.undecoded.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN heliograph.undecoded.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN heliograph.undecoded.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN heliograph.undecoded.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN heliograph.undecoded.channel IS 'How it was said: data, log or cpi; record where data is a refused row as JSON.';

COMMENT ON COLUMN heliograph.undecoded.data IS 'The bytes, discriminator first.';

COMMENT ON COLUMN heliograph.undecoded.reason IS 'Why it is here.';

COMMENT ON COLUMN heliograph.undecoded.caller IS 'Address of the program that invoked it; NULL where the transaction did.';

CREATE TABLE perps.balances (
    stream text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    free numeric NOT NULL,
    locked numeric NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL
);

COMMENT ON TABLE perps.balances IS 'A wallet''s collateral in one asset after its latest transfer; the total is free + locked.';

COMMENT ON COLUMN perps.balances.stream IS 'The stream that the balance belongs to.';

COMMENT ON COLUMN perps.balances.wallet IS 'Owner, base58.';

COMMENT ON COLUMN perps.balances.asset IS 'Mint, base58.';

COMMENT ON COLUMN perps.balances.free IS 'Asset units that can be withdrawn or locked.';

COMMENT ON COLUMN perps.balances.locked IS 'Asset units locked in positions.';

COMMENT ON COLUMN perps.balances.updated_at IS 'Block time of the latest transfer.';

COMMENT ON COLUMN perps.balances.updated_slot IS 'Slot of the latest transfer.';

COMMENT ON COLUMN perps.balances.updated_tx_index IS 'tx_index of the latest transfer.';

COMMENT ON COLUMN perps.balances.updated_ordinal IS 'ordinal of the latest transfer.';

CREATE TABLE perps.funding_payments (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    side text NOT NULL,
    size numeric NOT NULL,
    rate numeric NOT NULL,
    interval_seconds integer NOT NULL,
    amount numeric NOT NULL,
    CONSTRAINT funding_payments_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.funding_payments IS 'Funding that positions paid or received.';

COMMENT ON COLUMN perps.funding_payments.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.funding_payments.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.funding_payments.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.funding_payments.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.funding_payments.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.funding_payments.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.funding_payments.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.funding_payments.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.funding_payments.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.funding_payments.wallet IS 'Owner of the position, base58.';

COMMENT ON COLUMN perps.funding_payments.position_key IS 'The position, as in perps.positions.';

COMMENT ON COLUMN perps.funding_payments.side IS 'long or short: side of the position.';

COMMENT ON COLUMN perps.funding_payments.size IS 'Base, never negative: size of the position at the payment.';

COMMENT ON COLUMN perps.funding_payments.rate IS 'Fraction per hour that was applied; positive when longs pay shorts.';

COMMENT ON COLUMN perps.funding_payments.interval_seconds IS 'Seconds that the payment is for.';

COMMENT ON COLUMN perps.funding_payments.amount IS 'Quote; positive when the wallet received it, negative when it paid.';

CREATE TABLE perps.funding_rates (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
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
    interval_rate numeric NOT NULL
);

COMMENT ON TABLE perps.funding_rates IS 'Funding rates as they were computed, an observation a row.';

COMMENT ON COLUMN perps.funding_rates.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.funding_rates.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.funding_rates.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.funding_rates.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.funding_rates.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.funding_rates.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.funding_rates.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.funding_rates.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.funding_rates.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.funding_rates.mark_price IS 'Quote per base; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.index_price IS 'Quote per base, the oracle''s; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.premium IS 'Fraction per hour, part of rate; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.interest IS 'Fraction per hour, part of rate; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.rate IS 'Fraction per hour; positive when longs pay shorts.';

COMMENT ON COLUMN perps.funding_rates.interval_seconds IS 'Seconds between two settlements of the protocol.';

COMMENT ON COLUMN perps.funding_rates.interval_rate IS 'Fraction per interval_seconds; positive when longs pay shorts; rounded half-even to 18 places.';

CREATE TABLE perps.liquidations (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
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
    side text NOT NULL,
    size numeric NOT NULL,
    price numeric NOT NULL,
    mark_price numeric,
    quote numeric NOT NULL,
    fee numeric NOT NULL,
    realized_pnl numeric,
    bad_debt numeric NOT NULL,
    CONSTRAINT liquidations_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.liquidations IS 'Liquidations, partial ones too. The fill that belongs to one is in perps.trades under the same id.';

COMMENT ON COLUMN perps.liquidations.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.liquidations.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.liquidations.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.liquidations.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.liquidations.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.liquidations.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.liquidations.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.liquidations.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.liquidations.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.liquidations.liquidation_id IS 'Equals trade_id of the fill that belongs to it, where there is one.';

COMMENT ON COLUMN perps.liquidations.wallet IS 'Owner of the position, base58.';

COMMENT ON COLUMN perps.liquidations.liquidator IS 'Wallet that took the position over, base58; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.liquidations.position_key IS 'The position, as in perps.positions.';

COMMENT ON COLUMN perps.liquidations.side IS 'long or short: side of the liquidated position.';

COMMENT ON COLUMN perps.liquidations.size IS 'Base taken from the position, never negative.';

COMMENT ON COLUMN perps.liquidations.price IS 'Quote per base of the fill.';

COMMENT ON COLUMN perps.liquidations.mark_price IS 'Quote per base; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.liquidations.quote IS 'Quote, never negative: price times size as the protocol reports it.';

COMMENT ON COLUMN perps.liquidations.fee IS 'Quote; positive: paid by the liquidated wallet.';

COMMENT ON COLUMN perps.liquidations.realized_pnl IS 'Quote; profit positive, loss negative; before fee; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.liquidations.bad_debt IS 'Quote that nobody could cover, never negative.';

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
    created_at timestamp with time zone NOT NULL,
    account_slot bigint,
    mark_price numeric,
    index_price numeric,
    funding_rate numeric,
    open_interest_long numeric,
    open_interest_short numeric
);

COMMENT ON TABLE perps.markets IS 'One row a market: what it is, and what its account last said.';

COMMENT ON COLUMN perps.markets.stream IS 'The stream that the market belongs to.';

COMMENT ON COLUMN perps.markets.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.markets.program IS 'Address of its program, base58.';

COMMENT ON COLUMN perps.markets.symbol IS 'Its name.';

COMMENT ON COLUMN perps.markets.base_asset IS 'What is traded.';

COMMENT ON COLUMN perps.markets.quote_asset IS 'What prices and profits are counted in.';

COMMENT ON COLUMN perps.markets.oracle IS 'Address of its price feed, base58; NULL where unknown.';

COMMENT ON COLUMN perps.markets.tick_size IS 'Quote per base: smallest step of a price; NULL where unknown.';

COMMENT ON COLUMN perps.markets.lot_size IS 'Base: smallest step of a size; NULL where unknown.';

COMMENT ON COLUMN perps.markets.initial_margin_ratio IS 'Fraction of the notional needed to open; NULL where unknown.';

COMMENT ON COLUMN perps.markets.maintenance_margin_ratio IS 'Fraction of the notional below which a position is liquidated; NULL where unknown.';

COMMENT ON COLUMN perps.markets.taker_fee_rate IS 'Fraction of quote; positive when paid; NULL where unknown.';

COMMENT ON COLUMN perps.markets.maker_fee_rate IS 'Fraction of quote; positive when paid, negative for a rebate; NULL where unknown.';

COMMENT ON COLUMN perps.markets.funding_interval_seconds IS 'Seconds between two settlements of funding; NULL where the protocol has none.';

COMMENT ON COLUMN perps.markets.created_slot IS 'Slot in which it was created.';

COMMENT ON COLUMN perps.markets.created_at IS 'Block time of created_slot.';

COMMENT ON COLUMN perps.markets.account_slot IS 'Context slot of the account state that the columns below and the description come from; NULL before one was seen.';

COMMENT ON COLUMN perps.markets.mark_price IS 'Quote per base; NULL where unknown.';

COMMENT ON COLUMN perps.markets.index_price IS 'Quote per base, the oracle''s; NULL where unknown.';

COMMENT ON COLUMN perps.markets.funding_rate IS 'Fraction per hour; positive when longs pay shorts; NULL where unknown.';

COMMENT ON COLUMN perps.markets.open_interest_long IS 'Base held by longs; NULL where unknown.';

COMMENT ON COLUMN perps.markets.open_interest_short IS 'Base held by shorts, never negative; NULL where unknown.';

CREATE TABLE perps.oracle_prices (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
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
    publish_time timestamp with time zone NOT NULL
);

COMMENT ON TABLE perps.oracle_prices IS 'Oracle prices as the protocol took them over.';

COMMENT ON COLUMN perps.oracle_prices.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.oracle_prices.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.oracle_prices.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.oracle_prices.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.oracle_prices.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.oracle_prices.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.oracle_prices.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.oracle_prices.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.oracle_prices.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.oracle_prices.source IS 'Who published the price.';

COMMENT ON COLUMN perps.oracle_prices.oracle IS 'Address of the feed, base58; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.oracle_prices.price IS 'Quote per base.';

COMMENT ON COLUMN perps.oracle_prices.confidence IS 'Half-width in quote per base; NULL where unknown.';

COMMENT ON COLUMN perps.oracle_prices.publish_time IS 'When the oracle published it, as the oracle says.';

CREATE TABLE perps.position_changes (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    kind text NOT NULL,
    side text NOT NULL,
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
    CONSTRAINT position_changes_kind_check CHECK ((kind = ANY (ARRAY['open'::text, 'increase'::text, 'decrease'::text, 'funding'::text, 'liquidation'::text, 'close'::text]))),
    CONSTRAINT position_changes_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.position_changes IS 'Every change of every position: opening, increase, decrease, funding, liquidation, close. Folded in chain order they give perps.positions.';

COMMENT ON COLUMN perps.position_changes.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.position_changes.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.position_changes.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.position_changes.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.position_changes.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.position_changes.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.position_changes.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.position_changes.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.position_changes.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.position_changes.wallet IS 'Owner of the position, base58.';

COMMENT ON COLUMN perps.position_changes.position_key IS 'Key of the position; addresses are reused, so several lifecycles may share it.';

COMMENT ON COLUMN perps.position_changes.kind IS 'open, increase, decrease, funding, liquidation or close.';

COMMENT ON COLUMN perps.position_changes.side IS 'long or short.';

COMMENT ON COLUMN perps.position_changes.size_delta IS 'Base; positive when the position grows, negative when it shrinks, whatever its side.';

COMMENT ON COLUMN perps.position_changes.size_after IS 'Base, never negative; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.price IS 'Quote per base at which the size changed; NULL where it did not.';

COMMENT ON COLUMN perps.position_changes.entry_price_after IS 'Quote per base, average of the open size; NULL where the protocol does not say or nothing is open.';

COMMENT ON COLUMN perps.position_changes.collateral_delta IS 'Quote; positive when collateral was added; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.collateral_after IS 'Quote locked in the position after the change; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.realized_pnl IS 'Quote; profit positive, loss negative; of this change alone, before fee and funding.';

COMMENT ON COLUMN perps.position_changes.fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.position_changes.funding IS 'Quote; positive when received, negative when paid.';

COMMENT ON COLUMN perps.position_changes.liquidation_price_after IS 'Quote per base at which the position would be liquidated; NULL where none or unknown.';

COMMENT ON COLUMN perps.position_changes.trade_id IS 'The fill that made the change, as in perps.trades; NULL where none did.';

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
    side text NOT NULL,
    status text NOT NULL,
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
    opened_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    closed_at timestamp with time zone,
    closed_slot bigint,
    complete boolean NOT NULL,
    settled boolean NOT NULL,
    CONSTRAINT positions_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text]))),
    CONSTRAINT positions_status_check CHECK ((status = ANY (ARRAY['open'::text, 'closed'::text, 'liquidated'::text])))
);

COMMENT ON TABLE perps.positions IS 'One row a lifecycle of a position, from opening to close. Its id is (stream, position_key, opened_slot, opened_tx_index, opened_ordinal), because addresses are reused.';

COMMENT ON COLUMN perps.positions.stream IS 'The stream that the position belongs to.';

COMMENT ON COLUMN perps.positions.position_key IS 'Key of the position: the address of its account, or what the protocol tells positions apart by.';

COMMENT ON COLUMN perps.positions.opened_slot IS 'Slot of the first change that is known.';

COMMENT ON COLUMN perps.positions.opened_tx_index IS 'tx_index of the first change that is known.';

COMMENT ON COLUMN perps.positions.opened_ordinal IS 'ordinal of the first change that is known.';

COMMENT ON COLUMN perps.positions.lifecycle IS 'Counts the lifecycles of position_key from 1, for display; late history may change it.';

COMMENT ON COLUMN perps.positions.program IS 'Address of the program, base58.';

COMMENT ON COLUMN perps.positions.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.positions.wallet IS 'Owner, base58.';

COMMENT ON COLUMN perps.positions.side IS 'long or short.';

COMMENT ON COLUMN perps.positions.status IS 'open, closed or liquidated.';

COMMENT ON COLUMN perps.positions.size IS 'Base, never negative, 0 once closed; NULL where unknown.';

COMMENT ON COLUMN perps.positions.max_size IS 'Base: the largest it has been; NULL where unknown.';

COMMENT ON COLUMN perps.positions.entry_price IS 'Quote per base, average of the open size, kept at the close; NULL where unknown.';

COMMENT ON COLUMN perps.positions.exit_price IS 'Quote per base of the change that closed it; NULL while open.';

COMMENT ON COLUMN perps.positions.collateral IS 'Quote locked in it, 0 once closed; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.positions.liquidation_price IS 'Quote per base; NULL where none or unknown, and once closed.';

COMMENT ON COLUMN perps.positions.realized_pnl IS 'Quote; profit positive, loss negative; before fees and funding; sum of its changes.';

COMMENT ON COLUMN perps.positions.fees IS 'Quote; positive when paid; sum of its changes.';

COMMENT ON COLUMN perps.positions.funding IS 'Quote; positive when received, negative when paid; sum of its changes.';

COMMENT ON COLUMN perps.positions.changes IS 'How many changes it had.';

COMMENT ON COLUMN perps.positions.opened_at IS 'Block time of the first change that is known.';

COMMENT ON COLUMN perps.positions.updated_at IS 'Block time of the last change.';

COMMENT ON COLUMN perps.positions.updated_slot IS 'Slot of the last change.';

COMMENT ON COLUMN perps.positions.updated_tx_index IS 'tx_index of the last change.';

COMMENT ON COLUMN perps.positions.updated_ordinal IS 'ordinal of the last change.';

COMMENT ON COLUMN perps.positions.closed_at IS 'Block time of the close; NULL while open.';

COMMENT ON COLUMN perps.positions.closed_slot IS 'Slot of the close; NULL while open.';

COMMENT ON COLUMN perps.positions.complete IS 'Its opening is known. Where false, sums begin at the first change that is known.';

COMMENT ON COLUMN perps.positions.settled IS 'False while late history waits to be folded in.';

CREATE TABLE perps.trades (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    trade_id text NOT NULL,
    taker text,
    taker_side text NOT NULL,
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
    CONSTRAINT trades_taker_side_check CHECK ((taker_side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.trades IS 'One row a fill. Volume is the sum of quote; liquidation fills are among them and count once.';

COMMENT ON COLUMN perps.trades.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.trades.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.trades.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.trades.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.trades.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.trades.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.trades.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.trades.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.trades.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.trades.trade_id IS 'Number of the fill as the protocol counts; equals liquidation_id where a liquidation caused it.';

COMMENT ON COLUMN perps.trades.taker IS 'Wallet of the taker, base58; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.trades.taker_side IS 'long: the taker buys base; short: the taker sells base.';

COMMENT ON COLUMN perps.trades.maker IS 'Wallet of the maker, base58; NULL where the protocol does not say or a pool made the price.';

COMMENT ON COLUMN perps.trades.price IS 'Quote per base.';

COMMENT ON COLUMN perps.trades.size IS 'Base, never negative.';

COMMENT ON COLUMN perps.trades.quote IS 'Quote, never negative: price times size as the protocol reports it.';

COMMENT ON COLUMN perps.trades.taker_fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.trades.maker_fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.trades.taker_position_key IS 'The taker''s position, as in perps.positions; NULL where unknown.';

COMMENT ON COLUMN perps.trades.maker_position_key IS 'The maker''s position, as in perps.positions; NULL where unknown.';

COMMENT ON COLUMN perps.trades.taker_order_id IS 'The taker''s order as the protocol names it; NULL where unknown.';

COMMENT ON COLUMN perps.trades.maker_order_id IS 'The maker''s order as the protocol names it; NULL where unknown.';

COMMENT ON COLUMN perps.trades.liquidation IS 'Whether a liquidation caused the fill.';

CREATE TABLE perps.transfers (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    kind text NOT NULL,
    amount numeric NOT NULL,
    free_delta numeric NOT NULL,
    locked_delta numeric NOT NULL,
    free_after numeric,
    locked_after numeric,
    position_key text,
    CONSTRAINT transfers_kind_check CHECK ((kind = ANY (ARRAY['deposit'::text, 'withdraw'::text, 'lock'::text, 'release'::text])))
);

COMMENT ON TABLE perps.transfers IS 'Movements of collateral between outside, free and locked.';

COMMENT ON COLUMN perps.transfers.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.transfers.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.transfers.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.transfers.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.transfers.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.transfers.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.transfers.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.transfers.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.transfers.wallet IS 'Owner of the collateral, base58.';

COMMENT ON COLUMN perps.transfers.asset IS 'Mint of the collateral, base58.';

COMMENT ON COLUMN perps.transfers.kind IS 'deposit, withdraw, lock (free to locked) or release (locked to free, profit and loss settled).';

COMMENT ON COLUMN perps.transfers.amount IS 'Asset units, never negative: the nominal. For a release the collateral that was locked.';

COMMENT ON COLUMN perps.transfers.free_delta IS 'Asset units; change of the free part, signed. For a release free_delta - amount is the result.';

COMMENT ON COLUMN perps.transfers.locked_delta IS 'Asset units; change of the locked part, signed.';

COMMENT ON COLUMN perps.transfers.free_after IS 'Asset units free after it; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.transfers.locked_after IS 'Asset units locked after it; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.transfers.position_key IS 'The position that it was locked for or released from; NULL for deposits and withdrawals.';

ALTER TABLE ONLY heliograph.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (stream, address);

ALTER TABLE ONLY heliograph.claims
    ADD CONSTRAINT claims_stream_slots_excl EXCLUDE USING gist (stream WITH =, slots WITH &&);

ALTER TABLE ONLY heliograph.commits
    ADD CONSTRAINT commits_pkey PRIMARY KEY (stream, seq);

ALTER TABLE ONLY heliograph.coverage
    ADD CONSTRAINT coverage_pkey PRIMARY KEY (stream);

ALTER TABLE ONLY heliograph.dirty
    ADD CONSTRAINT dirty_pkey PRIMARY KEY (stream, position_key);

ALTER TABLE ONLY heliograph.idls
    ADD CONSTRAINT idls_pkey PRIMARY KEY (stream, program, first_slot);

ALTER TABLE ONLY heliograph.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY heliograph.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY heliograph.slots
    ADD CONSTRAINT slots_pkey PRIMARY KEY (stream, slot);

ALTER TABLE ONLY heliograph.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (name);

ALTER TABLE ONLY heliograph.transactions
    ADD CONSTRAINT transactions_pkey PRIMARY KEY (block_time, slot, tx_index, stream);

ALTER TABLE ONLY heliograph.typed_columns
    ADD CONSTRAINT typed_columns_pkey PRIMARY KEY (stream, table_name, column_name);

ALTER TABLE ONLY heliograph.typed_columns
    ADD CONSTRAINT typed_columns_stream_table_name_field_type_key UNIQUE (stream, table_name, field, type);

ALTER TABLE ONLY heliograph.typed_tables
    ADD CONSTRAINT typed_tables_pkey PRIMARY KEY (stream, kind, program, item);

ALTER TABLE ONLY heliograph.typed_tables
    ADD CONSTRAINT typed_tables_stream_table_name_key UNIQUE (stream, table_name);

ALTER TABLE ONLY heliograph.undecoded
    ADD CONSTRAINT undecoded_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream);

ALTER TABLE ONLY perps.balances
    ADD CONSTRAINT balances_pkey PRIMARY KEY (stream, wallet, asset);

ALTER TABLE ONLY perps.funding_payments
    ADD CONSTRAINT funding_payments_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.funding_rates
    ADD CONSTRAINT funding_rates_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.liquidations
    ADD CONSTRAINT liquidations_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.markets
    ADD CONSTRAINT markets_pkey PRIMARY KEY (stream, market);

ALTER TABLE ONLY perps.oracle_prices
    ADD CONSTRAINT oracle_prices_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.position_changes
    ADD CONSTRAINT position_changes_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.positions
    ADD CONSTRAINT positions_pkey PRIMARY KEY (stream, position_key, opened_slot, opened_tx_index, opened_ordinal);

ALTER TABLE ONLY perps.trades
    ADD CONSTRAINT trades_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.transfers
    ADD CONSTRAINT transfers_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX accounts_by_name ON heliograph.accounts USING btree (stream, program, name);

CREATE INDEX incidents_by_stream ON heliograph.incidents USING btree (stream, id);

CREATE INDEX signatures_by_signature ON heliograph.signatures USING hash (signature);

CREATE INDEX signatures_by_slot ON heliograph.signatures USING btree (stream, slot);

CREATE INDEX slots_by_seq ON heliograph.slots USING btree (stream, seq, slot);

CREATE INDEX slots_by_time ON heliograph.slots USING btree (stream, block_time, slot);

CREATE INDEX transactions_truncated ON heliograph.transactions USING btree (stream, slot, block_time) WHERE truncated;

CREATE INDEX balances_by_wallet ON perps.balances USING btree (wallet, asset, stream);

CREATE INDEX funding_payments_by_market ON perps.funding_payments USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_payments_by_position_key ON perps.funding_payments USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_payments_by_wallet ON perps.funding_payments USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_rates_by_market ON perps.funding_rates USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX liquidations_by_market ON perps.liquidations USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX liquidations_by_position_key ON perps.liquidations USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX liquidations_by_wallet ON perps.liquidations USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX markets_by_symbol ON perps.markets USING btree (symbol, stream, market);

CREATE INDEX oracle_prices_by_market ON perps.oracle_prices USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX position_changes_by_market ON perps.position_changes USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX position_changes_by_position_key ON perps.position_changes USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX position_changes_by_wallet ON perps.position_changes USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX positions_by_market ON perps.positions USING btree (market, opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE INDEX positions_by_opened ON perps.positions USING btree (opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE INDEX positions_by_wallet ON perps.positions USING btree (wallet, opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE INDEX trades_by_maker ON perps.trades USING btree (maker, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_maker_position_key ON perps.trades USING btree (maker_position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_market ON perps.trades USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_taker ON perps.trades USING btree (taker, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_taker_position_key ON perps.trades USING btree (taker_position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX transfers_by_wallet ON perps.transfers USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY heliograph.accounts
    ADD CONSTRAINT accounts_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.claims
    ADD CONSTRAINT claims_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.commits
    ADD CONSTRAINT commits_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.coverage
    ADD CONSTRAINT coverage_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.dirty
    ADD CONSTRAINT dirty_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.idls
    ADD CONSTRAINT idls_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.incidents
    ADD CONSTRAINT incidents_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.slots
    ADD CONSTRAINT slots_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.typed_columns
    ADD CONSTRAINT typed_columns_stream_table_name_fkey FOREIGN KEY (stream, table_name) REFERENCES heliograph.typed_tables(stream, table_name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.typed_tables
    ADD CONSTRAINT typed_tables_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;
