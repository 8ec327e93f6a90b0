"""The bounded cache."""

from heliograph_graphql.cache import BoundedCache


def test_the_least_recently_used_entry_goes_first() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_heavy_entries_drive_out_others_and_one_that_is_too_heavy_is_not_kept() -> None:
    cache: BoundedCache[int] = BoundedCache(10, most_weight=100)
    cache.put("a", 1, 40)
    cache.put("b", 2, 50)
    cache.put("c", 3, 20)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (None, 2, 3)
    cache.put("b", 4, 80)
    assert (cache.get("b"), cache.get("c"), len(cache)) == (4, 3, 2)
    cache.put("d", 5, 101)
    assert (cache.get("d"), len(cache)) == (None, 2)
    cache.put("b", 6, 101)
    assert cache.get("b") is None
    cache.put("e", 7, 80)
    assert (cache.get("c"), cache.get("e")) == (3, 7)
