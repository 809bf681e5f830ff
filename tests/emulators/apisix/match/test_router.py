"""The three routers: what they choose, that changes equal a new start, and that they say why they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.router import Kind, Router

Make = Callable[..., Any]


def router(*routes: Any, kind: Kind = "radixtree_host_uri", **options: Any) -> Router:
    made = Router(kind, **options)
    for route in routes:
        made.put(route)
    return made


def chosen(made: Router, ctx: Context) -> str | None:
    found = made.match(ctx)
    return None if found is None else str(found.id)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("/a", "all"), ("/a/", "a"), ("/a/b", "exact"), ("/a/b/", "a-b"), ("/a/b/c", "a-b"), ("/a/bb", "a"), ("/", "all")],
)
def test_exact_before_prefix_and_longer_prefix_before_shorter(
    uri: str, expected: str, route_of: Make, request_of: Make
) -> None:
    made = router(
        route_of("a", "/a/*"), route_of("exact", "/a/b"), route_of("a-b", "/a/b/*"), route_of("all", "/*", priority=9)
    )
    assert chosen(made, request_of(uri)) == expected


def test_a_star_needs_no_slash_before_it(route_of: Make, request_of: Make) -> None:
    made = router(route_of("x", "/x/*"), route_of("y", "/y*"))
    asked = ["/x", "/x/", "/y", "/yz/1", "/Y"]
    assert [chosen(made, request_of(uri)) for uri in asked] == [None, "x", "y", "y", None]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("one.test", "one"),
        ("two.test", "star"),
        ("a.b.test", "star"),
        ("x.deep.test", "deep"),
        ("deep.test", "star"),
        ("test", "none"),
        ("other.example", "none"),
    ],
)
def test_hosts(host: str, expected: str, route_of: Make, request_of: Make) -> None:
    made = router(
        route_of("one", "/h", hosts=["one.test"]),
        route_of("star", "/h", hosts=["*.test"]),
        route_of("none", "/h"),
        route_of("deep", "/h", hosts=["*.deep.test"]),
    )
    assert chosen(made, request_of("/h", host=host)) == expected


def test_the_host_beats_path_and_priority(route_of: Make, request_of: Make) -> None:
    made = router(
        route_of("prefix", "/k/*", hosts=["k.test"]),
        route_of("exact", "/k/x"),
        route_of("wild", "/k/x", hosts=["*.test"], priority=10),
    )
    assert chosen(made, request_of("/k/x", host="k.test")) == "prefix"
    assert chosen(made, request_of("/k/x", host="z.test")) == "wild"
    assert chosen(made, request_of("/k/x", host="z.example")) == "exact"


def test_without_host_router_the_path_beats_the_host(route_of: Make, request_of: Make) -> None:
    made = router(route_of("prefix", "/k/*", hosts=["k.test"]), route_of("exact", "/k/x"), kind="radixtree_uri")
    assert chosen(made, request_of("/k/x", host="k.test")) == "exact"
    assert chosen(made, request_of("/k/y", host="k.test")) == "prefix"
    assert chosen(made, request_of("/k/y", host="else.test")) is None


def test_priority_then_first_come(route_of: Make, request_of: Make) -> None:
    made = router(route_of("b", "/p"), route_of("a", "/p"), route_of("post", "/p", priority=5, methods=["POST"]))
    assert chosen(made, request_of("/p")) == "b"
    assert chosen(made, request_of("/p", method="POST")) == "post"
    made.put(route_of("b", "/p"))
    assert chosen(made, request_of("/p")) == "b"
    made.remove("b")
    made.put(route_of("b", "/p"))
    assert chosen(made, request_of("/p")) == "a"


def test_conditions(route_of: Make, request_of: Make) -> None:
    made = router(
        route_of("addr", "/c", remote_addrs=["10.0.0.0/8", "::1"], priority=3),
        route_of("vars", "/c", vars=[["arg_v", "==", "1"]], priority=2),
        route_of("off", "/c", status=0, priority=9),
    )
    assert chosen(made, request_of("/c", remote_addr="10.1.1.1")) == "addr"
    assert chosen(made, request_of("/c", remote_addr="::1")) == "addr"
    assert chosen(made, request_of("/c", query="v=1")) == "vars"
    assert chosen(made, request_of("/c")) is None


def test_a_method_outside_the_library_never_fits_a_list_of_methods(route_of: Make, request_of: Make) -> None:
    made = router(route_of("any", "/m"), route_of("listed", "/m", methods=["GET", "PURGE"], priority=1))
    assert [chosen(made, request_of("/m", method=name)) for name in ("GET", "PURGE", "GOLD")] == [
        "listed",
        "listed",
        "any",
    ]


def test_parameters(route_of: Make, request_of: Make) -> None:
    made = router(
        route_of("user", "/users/:id"),
        route_of("order", "/users/:id/orders/:order"),
        route_of("rest", "/files/:drive/*path"),
        kind="radixtree_uri_with_parameter",
    )
    ctx = request_of("/users/7/orders/12")
    assert chosen(made, ctx) == "order"
    assert ctx.path_params is not None
    assert (ctx.path_params["id"], ctx.path_params["order"]) == ("7", "12")
    assert chosen(made, request_of("/users/7")) == "user"
    assert chosen(made, request_of("/users/7/x")) is None
    ctx = request_of("/files/c/a/b.txt")
    assert chosen(made, ctx) == "rest" and ctx.path_params is not None
    assert (ctx.path_params["drive"], ctx.path_params["path"]) == ("c", "a/b.txt")


def test_parameters_are_plain_text_in_the_other_routers(route_of: Make, request_of: Make) -> None:
    made = router(route_of("text", "/users/:id"))
    assert chosen(made, request_of("/users/7")) is None
    assert chosen(made, request_of("/users/:id")) == "text"


@pytest.mark.parametrize("kind", ["radixtree_host_uri", "radixtree_uri"])
def test_the_patterns_that_matched_are_told(kind: Kind, route_of: Make, request_of: Make) -> None:
    made = router(route_of("p", "/p/*", hosts=["a.test", "*.b.test"]), route_of("plain", "/x"), kind=kind)
    for host, pattern in (("a.test", "a.test"), ("x.b.test", "*.b.test")):
        ctx = request_of("/p/1", host=host)
        assert chosen(made, ctx) == "p"
        assert ctx.path_params == {"_path": "/p/*", "_host": pattern}
    ctx = request_of("/x", host="a.test")
    assert chosen(made, ctx) == "plain" and ctx.path_params == {"_path": "/x"}


def test_a_star_in_the_middle_takes_several_segments(route_of: Make, request_of: Make) -> None:
    made = router(route_of("mid", "/v/*/end"))
    assert [chosen(made, request_of(uri)) for uri in ("/v/a/b/end", "/v/a/b", "/v/end")] == ["mid", None, None]


def test_a_filter_that_fails_is_not_a_mismatch(route_of: Make, request_of: Make) -> None:
    def broken(source: str) -> Callable[[Context], bool]:
        def run(ctx: Context) -> bool:
            raise RuntimeError(source)

        return run

    made = router(route_of("f", "/f", filter_func="boom"), compile_filter=broken)
    with pytest.raises(RuntimeError, match="boom"):
        made.match(request_of("/f"))


def test_what_cannot_be_read_is_kept_out_and_told(route_of: Make, request_of: Make) -> None:
    made = router(route_of("bad", "/b", vars=[["arg_a", "like", "1"]]), route_of("good", "/b"))
    assert chosen(made, request_of("/b")) == "good"
    assert made.rejected == {"bad": "invalid operator 'like'"}
    made.put(route_of("bad", "/b", priority=1))
    assert not made.rejected and chosen(made, request_of("/b")) == "bad"


def test_who_needs_the_body_is_known_before_matching(route_of: Make, request_of: Make) -> None:
    made = router(route_of("plain", "/p"), route_of("body", "/b", vars=[["post_arg.model", "==", "x"]]))
    assert [made.wants_body(request_of(uri)) for uri in ("/p", "/b", "/c")] == [False, True, False]
    made.remove("body")
    assert not made.wants_body(request_of("/b"))


def test_explanations_name_the_condition_that_failed(route_of: Make, request_of: Make) -> None:
    made = router(
        route_of("m", "/e", methods=["POST"]),
        route_of("v", "/e", vars=[["arg_a", "==", "1"]]),
        route_of("h", "/e", hosts=["e.test"]),
        route_of("s", "/e/"),
        route_of("off", "/e", status=0),
    )
    told = {
        miss.route_id: (miss.check, miss.why) for miss in made.explain(request_of("/e", query="a=2", host="x.test"))
    }
    assert told["m"] == ("methods", "method GET is not one of POST")
    assert told["v"] == ("vars", "vars [['arg_a', '==', '1']] do not hold: arg_a is '2'")
    assert told["h"] == ("host", "host x.test is not e.test")
    assert told["s"][0] == "uri" and told["off"][0] == "status"
    assert made.explain(request_of("/e", query="a=1")) == [made.explain(request_of("/e", query="a=2"))[0]]


# against a model that knows nothing of trees

PATHS = st.sampled_from(["/", "/*", "/a", "/a*", "/a/*", "/a/b", "/a/b/*", "/a/*/c", "/b/*", "/ab", "/a/b/c"])
HOSTS = st.one_of(st.none(), st.lists(st.sampled_from(["a.t", "*.t", "*.a.t", "b.t", "*"]), min_size=1, max_size=2))
ROUTES = st.fixed_dictionaries(
    {
        "uris": st.lists(PATHS, min_size=1, max_size=2, unique=True),
        "hosts": HOSTS,
        "methods": st.sampled_from([None, ["GET"], ["POST", "PUT"]]),
        "priority": st.integers(0, 2),
        "status": st.sampled_from([1, 1, 1, 0]),
    }
)
CHANGES = st.lists(st.tuples(st.sampled_from("12345"), st.one_of(st.none(), ROUTES)), max_size=14)
ASKED = [
    (host, uri, method)
    for host in ("a.t", "x.t", "x.a.t", "else")
    for uri in ("/", "/a", "/ab", "/a/", "/a/b", "/a/b/c", "/b/1")
    for method in ("GET", "PUT")
]


def fits_path(path: str, uri: str) -> bool:
    before, star, after = path.partition("*")
    if not star:
        return path == uri
    return uri.startswith(before) and uri.endswith(after) and len(uri) >= len(before) + len(after)


def path_rank(path: str) -> tuple[int, int]:
    before, star, _ = path.partition("*")
    return (1, -len(before)) if star else (0, 0)


def host_rank(hosts: list[str] | None, host: str) -> list[tuple[int, int]]:
    if not hosts:
        return [(2, 0)]
    ranks = [(0, 0) for pattern in hosts if pattern == host]
    return ranks + [(1, -len(p)) for p in hosts if p.startswith("*") and host.endswith(p[1:])]


def naive(routes: dict[str, Any], kind: Kind, host: str, uri: str, method: str) -> str | None:
    """The best by host (in the host router), path, priority, length and age, of all that fit."""
    fitting = []
    for age, route in enumerate(routes.values()):
        ranks = host_rank(route.hosts, host)
        if route.status == 0 or not ranks or (route.methods and method not in route.methods):
            continue
        for path in route.uris:
            if fits_path(path, uri):
                by_host = min(ranks) if kind == "radixtree_host_uri" else (0, 0)
                length = -len(path) if "*" in path else 0
                fitting.append(((by_host, path_rank(path), -route.priority, length, age), route.id))
    return min(fitting)[1] if fitting else None


@settings(max_examples=150, deadline=None)
@given(changes=CHANGES, kind=st.sampled_from(["radixtree_host_uri", "radixtree_uri", "radixtree_uri_with_parameter"]))
def test_any_changes_give_what_the_model_and_a_new_router_give(
    changes: list[tuple[str, Any]], kind: Kind, route_of: Make, request_of: Make
) -> None:
    made, kept = Router(kind), {}
    for step, (id_, given_route) in enumerate(changes):
        if given_route is None:
            made.remove(id_)
            kept.pop(id_, None)
        else:
            kept[id_] = route_of(id_, *given_route["uris"], **{k: v for k, v in given_route.items() if k != "uris"})
            made.put(kept[id_])
        made.match(request_of(ASKED[step][1], host=ASKED[step][0]))  # something to remember, and to forget
    rebuilt = router(*kept.values(), kind=kind)
    for host, uri, method in ASKED:
        found = chosen(made, request_of(uri, host=host, method=method))
        assert found == chosen(rebuilt, request_of(uri, host=host, method=method))
        assert found == naive(kept, kind, host, uri, method)
