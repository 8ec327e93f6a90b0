"""Requests to responses: a known operation goes text -> plan -> SQL -> bytes; the rest is Strawberry's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import msgspec
import orjson
import strawberry
from graphql import GraphQLError, OperationType, execute

from heliograph_core.errors import DatabaseError, HeliographError
from heliograph_graphql.arrivals import Arrivals
from heliograph_graphql.compiled_query import Compiled, CompiledQuery, asked_streams, root_streams
from heliograph_graphql.conditions import source
from heliograph_graphql.cost import most_live_rows, most_rows
from heliograph_graphql.document import Documents, Operation, Variables
from heliograph_graphql.editions import Editions
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.entity import Entity, Relation
from heliograph_graphql.failures import (
    BAD_INPUT,
    INTERNAL,
    TIMEOUT,
    TOO_LONG,
    RequestError,
    coded,
    http_status,
    is_outdated,
    refuse,
    show,
    too_complex,
)
from heliograph_graphql.feeds import FeedQuery, make_feed, make_query
from heliograph_graphql.hub import EndingFeed, Feed
from heliograph_graphql.node_id import entity_of_id
from heliograph_graphql.parameters import LookupParam, bind_asked, bind_given
from heliograph_graphql.passthrough import PassThrough, Raw
from heliograph_graphql.past import read_past
from heliograph_graphql.plan import Root, Typename, read
from heliograph_graphql.responses import Commits, Found, Responses
from heliograph_graphql.schema import build_schema
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.sql import WINDOW, Statement, root_statement, window_statement
from heliograph_graphql.status import Status, read_status
from heliograph_graphql.transaction_feed import TransactionFeed
from heliograph_graphql.transaction_state import StatusPlan
from heliograph_graphql.transaction_watch import TransactionWatch
from heliograph_graphql.values import shape
from heliograph_graphql.windows import Windows
from heliograph_sql.database import Database
from heliograph_sql.progress import Tallies, read_tallies_on
from heliograph_sql.queries import load
from heliograph_sql.tail import Tail

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True):
    """One GraphQL request. held: versions of its answer that the client has; if it is one of them, no body is made.

    None: nobody asks for the version, and it is not read.
    """

    query: str
    operation_name: str | None = None
    variables: Mapping[str, object] = {}
    held: Container[str] | None = ()


class Answer(msgspec.Struct, frozen=True):
    """A response: JSON bytes and the HTTP status that goes with them.

    version: changes whenever the same request could be answered otherwise; None where nobody can tell. With the
    status 304 the client holds that version, and body is empty.
    """

    body: bytes
    status: int = 200
    version: str | None = None


_NEEDS_SOCKET = "subscriptions need a WebSocket (graphql-transport-ws) on this address, or the header accept: text/event-stream"
_NULL = "null"
_COMMITS = f"SELECT {load('graphql.sql')['commits']}"

Snapshot = Callable[[], AbstractAsyncContextManager[Any]]


class Context:
    """What resolvers see while Strawberry executes: the answers of compiled fields and the snapshot's connection."""

    def __init__(self, raw: Mapping[str, Raw], snapshot: Snapshot, connection: Any = None) -> None:
        self.raw = raw
        self._snapshot = snapshot
        self._connection = connection
        self._lock = asyncio.Lock()
        self._tallies: asyncio.Future[Tallies] | None = None

    async def status(self) -> Status:
        return await self._read(read_status)

    async def tallies(self) -> Tallies:
        """Counted once a request, however many streams ask."""
        if self._tallies is None:
            self._tallies = asyncio.ensure_future(self._read(read_tallies_on))
        return await self._tallies

    async def _read(self, read: Callable[[Any], Awaitable[T]]) -> T:
        # A connection runs one query at a time, and graphql-core resolves aliases of a field together.
        async with self._lock:
            if self._connection is not None:
                return await read(self._connection)
            async with self._snapshot() as connection:
                return await read(connection)


class CompiledResolvers:
    """Resolvers of the server: root fields were compiled and answered before; nothing below is ever resolved."""

    def page(
        self, entity: Entity, relation: Relation | None, parent: Any, info: Any, arguments: dict[str, Any]
    ) -> Any:
        return info.context.raw[info.path.key]

    def row(
        self, entity: Entity, relation: Relation | None, parent: Any, info: Any, arguments: dict[str, Any]
    ) -> Any:
        return info.context.raw[info.path.key]

    def aggregates(self, entity: Entity, page: Any, info: Any, arguments: dict[str, Any]) -> Any:
        raise AssertionError("a page's value is passed through whole")

    def node(self, info: Any, id_: str) -> Any:
        return info.context.raw[info.path.key]


async def _status(context: Context) -> Status:
    return await context.status()


class Executor:
    """Executes queries of one schema on one database."""

    def __init__(
        self,
        database: Database,
        settings: ApiSettings,
        windows: Windows | None = None,
        tail: Tail | None = None,
    ) -> None:
        """tail: wakes those who wait for a slot, beside a look each poll_interval_s."""
        self.settings = settings
        self.windows = windows or Windows()
        self.catalog = load_catalog()
        self.schema: strawberry.Schema = build_schema(self.catalog, CompiledResolvers(), _status)
        self._readers = database.readers(settings.statement_timeout_s)
        self.editions = Editions(self.schema, self.catalog, settings, self._readers)
        self.arrivals = Arrivals(
            self._readers,
            tail,
            most_wait_s=settings.min_slot_wait_s,
            poll_interval_s=settings.poll_interval_s,
        )
        self.transactions = TransactionWatch(
            self._readers, tail, poll_interval_s=settings.poll_interval_s, most=settings.signatures_followed
        )
        self.responses = Responses(settings.response_cache_bytes if settings.response_cache else None)

    @property
    def documents(self) -> Documents:
        """Of the current edition. What is prepared with it without an await is of one edition."""
        return self.editions.current.documents

    @property
    def revision(self) -> str:
        """Of the schema: names this one and no other."""
        return self.editions.current.revision

    async def execute(self, request: Request) -> Answer:
        """The response to a query. Subscriptions are refused here."""
        try:
            operation = self.documents.operation(request.query, request.operation_name)
            if operation.kind is OperationType.SUBSCRIPTION:
                raise refuse(_NEEDS_SOCKET, BAD_INPUT)
            variables = self.documents.variables(operation, request.variables)
            compiled = self.compiled(operation, variables)
            if operation.min_slot is not None:
                slot = self.documents.min_slot(operation, variables)
                if slot is not None:
                    await self.arrivals.wait(slot, asked_streams(compiled, variables.values))
            async with asyncio.timeout(self.settings.operation_timeout_s):
                if compiled.alone is not None:
                    return await self._run_alone(operation, variables, request, compiled, compiled.alone)
                return await self._run(operation, variables, request, compiled)
        except TimeoutError:
            return _refusal([coded(TOO_LONG, TIMEOUT)], 503)
        except RequestError as error:
            return _refusal(error.errors, error.status)
        except (GraphQLError, HeliographError) as error:
            if is_outdated(error) and await self._is_made_anew():
                return await self.execute(request)
            errors = [show(error)]
            return _refusal(errors, http_status(errors))

    async def _is_made_anew(self) -> bool:
        try:
            return await self.editions.refresh()
        except DatabaseError:
            # What the request failed with is told, and this is tried again by itself.
            return False

    def feed(self, request: Request) -> tuple[Feed | EndingFeed, str | None]:
        """What a subscription follows, and the cursor it resumes from. Raises RequestError, GraphQLError."""
        operation = self.documents.operation(request.query, request.operation_name)
        variables = self.documents.variables(operation, request.variables)
        query = self._live_query(operation, variables)
        if isinstance(query, StatusPlan):
            most = self.settings.signatures_per_subscription
            return TransactionFeed(query, variables.values, self.transactions, most), None
        after = read(source(query.plan.arguments["after"]), variables.values)
        plan, settings = query.plan, self.settings
        self._check_rows(
            most_live_rows(plan.key, query.lists, settings.message_rows, settings.max_first, variables.values)
        )
        feed = make_feed(query, variables.values, settings)
        return feed, None if after is None else str(after)

    def _live_query(self, operation: Operation, variables: Variables) -> FeedQuery | StatusPlan:
        edition = self.editions.current
        key = _key(operation, variables)
        known = edition.live.get(key)
        if known is None:
            plan = edition.subscriptions.plan(operation, variables)
            known = plan if isinstance(plan, StatusPlan) else make_query(plan, edition.catalog)
            edition.live.put(key, known, len(repr(key)) + known.characters)
        return known

    def compiled(self, operation: Operation, variables: Variables) -> CompiledQuery:
        """The operation's statements, from the cache where its text, switches and variables' shape are known.

        Raises NodeIdError for what is asked of `node` and is no id.
        """
        edition = self.editions.current
        # Found without looking at the variables where they say nothing: that is most of what is asked.
        key: Hashable = (
            operation.token if variables.plain and not operation.varies else _plan_key(operation, variables)
        )
        known = edition.plans.get(key)
        if known is None:
            roots = edition.compiler.query(operation, variables)
            self._check_cost(roots, variables)
            known = CompiledQuery({name: self._compile(root, variables) for name, root in roots.items()})
            edition.plans.put(key, known, len(repr(key)) + known.characters)
        return known

    def _compile(self, root: Root | Typename | None, variables: Variables) -> Compiled | Typename | None:
        if root is None or isinstance(root, Typename):
            return root
        return Compiled(
            root,
            root_statement(root, self.editions.current.catalog, variables.values),
            window_statement(root, self.editions.current.catalog, variables.values),
        )

    async def _run(
        self, operation: Operation, variables: Variables, request: Request, compiled: CompiledQuery
    ) -> Answer:
        """An operation of several statements, or of what Strawberry executes."""
        bound = {
            key: bind_asked(item.statement.params, variables.values)
            for key, item in compiled.items.items()
            if isinstance(item, Compiled)
        }
        raw = {
            key: Raw(f'"{item.name}"') for key, item in compiled.items.items() if isinstance(item, Typename)
        }
        if not bound:
            return await self._strawberry(operation, request.variables, Context(raw, self.snapshot))
        async with self._moment() as (connection, commits):
            found = self.responses.look_up(operation, variables, compiled, commits, self.revision)
            if request.held and found.version is not None and found.version in request.held:
                return Answer(b"", 304, found.version)
            if found.body is not None:
                return Answer(found.body, version=found.version)
            texts = []
            for key, item in compiled.items.items():
                if isinstance(item, Compiled):
                    row = await self._row(connection, item, variables, bound[key])
                    texts.append(row[0] or _NULL)
            if None in compiled.items.values():
                raw |= {key: Raw(text) for key, text in zip(bound, texts, strict=True)}
                context = Context(raw, self.snapshot, connection)
                return await self._strawberry(operation, request.variables, context)
        return self._kept(found, compiled.body(texts))

    async def _run_alone(
        self,
        operation: Operation,
        variables: Variables,
        request: Request,
        compiled: CompiledQuery,
        item: Compiled,
    ) -> Answer:
        """An operation whose answer is one statement's: that sees one moment by itself, and says at which commits it stands."""
        values = bind_asked(item.statement.params, variables.values)
        versioned = request.held is not None or self.responses.keeps
        async with self._readers.acquire() as connection:
            if request.held or (versioned and self.responses.holds(operation, variables)):
                commits = dict(await connection.fetchval(_COMMITS))
                found = self.responses.look_up(operation, variables, compiled, commits, self.revision)
                if request.held and found.version is not None and found.version in request.held:
                    return Answer(b"", 304, found.version)
                if found.body is not None:
                    return Answer(found.body, version=found.version)
            row = await self._row(connection, item, variables, values, versioned=versioned)
        body = compiled.body((row[0] or _NULL,))
        if not versioned:
            return Answer(body)
        commits = dict(row[1])
        found = self.responses.look_up(operation, variables, compiled, commits, self.revision, made=True)
        return self._kept(found, body)

    def _kept(self, found: Found, body: bytes) -> Answer:
        self.responses.keep(found, body)
        return Answer(body, version=found.version)

    async def _row(
        self,
        connection: Any,
        item: Compiled,
        variables: Variables,
        bound: Sequence[object],
        *,
        versioned: bool = False,
    ) -> Any:
        """What a root field's statement returns: JSON text, and where `versioned` the commits that it stands at."""
        if item.window is not None:
            row = await self._newest(connection, item.window, variables, versioned=versioned)
            if row is not None:
                return row
        statement, values = item.statement, bound
        if statement.looks_up:
            values = await looked_up(connection, statement, bound)
            if statement.past is not None:
                asked = root_streams(item.root, variables.values)
                given = await read_past(connection, statement.past, variables.values, asked)
                values = bind_given(statement.params, values, given)
        return await connection.fetchrow(statement.with_commits if versioned else statement.text, *values)

    async def _newest(
        self, connection: Any, window: Statement, variables: Variables, *, versioned: bool
    ) -> Any:
        """The same out of the newest rows, where they are enough; a hypertable reads few chunks for it."""
        for start in await self.windows.starts(connection, window, variables.values):
            given = {**variables.values, WINDOW: start}
            bound = [param.bind(given) for param in window.params]
            bound = await looked_up(connection, window, bound)
            text = window.with_commits if versioned else window.text
            row = await connection.fetchrow(text, *bound)
            if row[0] is not None:
                return row
        return None

    def _check_cost(self, roots: Mapping[str, Root | Typename | None], variables: Variables) -> None:
        self._check_rows(
            sum(
                most_rows(key, root, self.settings.max_first, variables.values)
                for key, root in roots.items()
                if root is not None and not isinstance(root, Typename)
            )
        )

    def _check_rows(self, rows: int) -> None:
        if rows > self.settings.max_rows:
            raise too_complex(
                f"the operation may read {rows} rows, {self.settings.max_rows} are allowed: lower `first` where fields nest"
            )

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        """A connection in a read-only transaction that sees one moment, each statement bounded in time."""
        async with self._moment() as (connection, _):
            yield connection

    @asynccontextmanager
    async def _moment(self) -> AsyncIterator[tuple[Any, Commits]]:
        """The same, and the commits that the moment stands at."""
        async with self._readers.acquire() as connection, connection.transaction():
            yield connection, dict(await connection.fetchval(_COMMITS))

    async def _strawberry(
        self, operation: Operation, given: Mapping[str, object], context: Context
    ) -> Answer:
        result: Any = execute(
            self.editions.current.core,
            operation.document,
            context_value=context,
            variable_values=dict(given),
            operation_name=operation.name,
            executor_class=PassThrough,
        )
        if asyncio.iscoroutine(result) or hasattr(result, "__await__"):
            result = await result
        errors = [show(error, INTERNAL) for error in result.errors or ()]
        if result.data is None:
            return _refusal(errors, http_status(errors))
        body: dict[str, object] = {"data": result.data}
        if errors:
            body["errors"] = errors
        return Answer(orjson.dumps(body))


def _key(operation: Operation, variables: Variables) -> Hashable:
    """What a compilation depends on."""
    switches = tuple(variables.values.get(name) for name in operation.switches)
    choices = tuple(variables.values.get(name) for name in operation.choices)
    return (operation.text, operation.name, switches, choices, shape(variables.symbols))


def _plan_key(operation: Operation, variables: Variables) -> Hashable:
    """The same of a query. Raises NodeIdError for what is asked of `node` and is no id."""
    # How many rows stands in the statement; in those of subscriptions it is a value like others.
    sizes = tuple(variables.values.get(name) for name in operation.sizes)
    # Of which type a node is, says its id.
    kinds = tuple(
        entity_of_id(str(variables.values[name])) for name in operation.nodes if name in variables.values
    )
    return (_key(operation, variables), sizes, kinds)


async def looked_up(connection: Any, statement: Statement, bound: Sequence[object]) -> list[object]:
    """The values with those of look-ups in their place, read on the same connection."""
    queries = load("graphql.sql")
    return [
        await connection.fetchval(queries[param.query], value) if isinstance(param, LookupParam) else value
        for param, value in zip(statement.params, bound, strict=True)
    ]


def _refusal(errors: list[dict[str, Any]], status: int) -> Answer:
    return Answer(orjson.dumps({"errors": errors}), status)
