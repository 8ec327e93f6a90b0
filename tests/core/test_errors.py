"""The tree in the module's docstring is the tree of the classes."""

import re

from heliograph_core import errors
from heliograph_core.errors import HeliographError


def test_every_error_is_drawn_in_the_tree_and_says_whether_to_retry() -> None:
    drawn = dict(
        re.findall(r"(\w+(?:Error|Unavailable|Refused|Conflict|Lost))\s+(retry)?", errors.__doc__ or "")
    )
    classes = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, HeliographError)
    }
    assert drawn.keys() == classes.keys()
    for name, cls in classes.items():
        assert cls.retry == (drawn[name] == "retry"), name


def test_a_decode_error_says_where() -> None:
    assert (
        str(errors.DecodeError("7 bytes are left over", path="$.orders[2]"))
        == "$.orders[2]: 7 bytes are left over"
    )


def test_an_rpc_error_keeps_the_code_and_the_wish_of_the_server() -> None:
    error = errors.RpcUnavailable("too many requests", code=429, retry_after=1.5)
    assert (error.retry, error.code, error.retry_after) == (True, 429, 1.5)
