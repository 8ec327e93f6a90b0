"""Names of tables and columns made from an IDL's. Pure: what was named before keeps its name, what is new gets a free one.

The rules, in their order: camel case becomes snake case; what no unquoted name may hold becomes `_`, and a digit in front
gets one; a column that SQL would read as something else gets `_` behind it; over 63 bytes the end gives way to a digest; of several that would be
called the same (`userId` and `user_id`, two fields `padding`, a field `slot` beside the key) the later get `_2`, `_3`, … .
A field whose type changed gets a column more, with the new type in its name: `size_numeric39`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

MOST_NAME_BYTES = 63
"""Of a name in PostgreSQL; longer ones would be cut."""

# pg_get_keywords() of PostgreSQL 18, categories R and T: names that need quotes, or, unquoted, mean something else
# (`user` is who is logged in). The system columns follow.
RESERVED_COLUMNS = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "binary",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "natural",
        "not",
        "notnull",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "overlaps",
        "placing",
        "primary",
        "references",
        "returning",
        "right",
        "select",
        "session_user",
        "similar",
        "some",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
        "tableoid",
        "xmin",
        "cmin",
        "xmax",
        "cmax",
        "ctid",
    ]
)


def snake(name: str) -> str:
    """`PositionOpened` and `positionOpened` are position_opened; what no name may hold becomes _."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    plain = re.sub(r"[^a-z0-9_]", "_", spaced.lower())
    return f"_{plain}" if plain[:1].isdigit() else plain


def column_name(field: str) -> str:
    """What a field's column is called where nothing else is called so."""
    name = snake(field)
    return cut(f"{name}_" if name in RESERVED_COLUMNS else name)


def cut(name: str) -> str:
    """At most 63 bytes, different for different names."""
    if len(name) <= MOST_NAME_BYTES:
        return name
    return f"{name[: MOST_NAME_BYTES - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or the first of name_2, name_3, … that is not taken."""
    found, number = cut(name), 2
    while found in taken:
        found, number = cut(f"{name}_{number}"), number + 1
    return found


def type_suffix(declared: str) -> str:
    """`numeric(39,0)` is numeric39, `double precision` double, `text[]` text_array."""
    base, _, precision = declared.partition("(")
    word = base.split()[0]
    if word.endswith("[]"):
        return f"{word[:-2]}_array"
    return word + precision.partition(",")[0]
