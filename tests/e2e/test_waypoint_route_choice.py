"""Which route a request takes, as the waypoint decides it and as `ztunnel explain` tells it: both must say the same.

Each rule sets a header with its own name, which the application tells.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.helpers import Mesh, wait_captured
from tests.e2e.waypoint_world import HTTP, World, fields_of, waypoint_world
from tests.lab import Pod, wait_until
from tests.lab.waypoint import http_route
from tests.lab.ztunnel import ztunnel_binary

NAME = "choice"
MARK = "x-route"
SHOP = "shop"


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    with waypoint_world(mesh) as world:
        yield world


def rule(name: str, *matches: dict[str, Any], rewrite: dict[str, Any] | None = None) -> dict[str, Any]:
    filters: list[dict[str, Any]] = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": MARK, "value": name}]}}
    ]
    if rewrite:
        filters.append({"type": "URLRewrite", "urlRewrite": {"path": rewrite}})
    return {
        "name": name,
        "matches": list(matches),
        "filters": filters,
        "backendRefs": [{"name": "app", "namespace": "mesh", "port": HTTP}],
    }


def path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}}


HEADER = {"headers": [{"name": "x-user", "value": "ann"}]}
RULES = [
    rule("any", path("/")),
    rule("regex", path("/t/[0-9]+", "RegularExpression")),
    rule("short", path("/t")),
    rule("long", path("/t/a")),
    rule("method", {**path("/t/a"), "method": "POST"}),
    rule("header", {**path("/t/a"), **HEADER}),
    rule("query", {**path("/t/a"), "queryParams": [{"name": "q", "value": "1 2"}]}),
    rule("exact", path("/t/a/b", "Exact")),
    rule("moved", path("/old"), rewrite={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}),
]
# Method, path, header fields.
REQUESTS = [
    ("GET", "/else", []),
    ("GET", "/t", []),
    ("GET", "/t/7", []),
    ("GET", "/tx", []),
    ("GET", "/t/a/c", []),
    ("POST", "/t/a/c", ["x-user: ann"]),
    ("GET", "/t/a/c", ["X-User: ann"]),
    ("GET", "/t/a/c?q=1+2", []),
    ("GET", "/t/a/c?q=1%202", ["x-user: bob"]),
    ("GET", "/t/a/b", ["x-user: ann"]),
    ("GET", "/t/x/%2e%2e/%61/b", []),
    ("GET", "/old/x?y=1", []),
]


def explained(world: World, source: str, method: str, path: str, headers: list[str]) -> dict[str, Any]:
    arguments = ["--mesh", str(world.mesh.lab.mesh.path), "--from", source, "--to", f"{world.vips['app']}:{HTTP}",
                 "--method", method, "--path", path]  # fmt: skip
    for header in headers:
        arguments += ["-H", header]
    done = subprocess.run(
        [ztunnel_binary(), "explain", "--json", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    [connection] = json.loads(done.stdout)["connections"]
    route: dict[str, Any] = connection["route"]
    return route


def taken(world: World, pod: Pod, method: str, path: str, headers: list[str]) -> dict[str, Any]:
    options = ["-X", method, "--path-as-is"]
    for header in headers:
        options += ["-H", header]
    seen: dict[str, Any] = json.loads(pod.curl(world.url(path), *options))
    return seen


def test_explain_and_the_waypoint_take_the_same_route(world: World) -> None:
    world.set_routes(NAME, "app", RULES, port=HTTP)
    try:
        wait_until("the routes", lambda: fields_of(world.tell("/else")).get(MARK) == "any")
        names = set()
        for method, target, headers in REQUESTS:
            seen = taken(world, world.mesh.client, method, target, headers)
            route = explained(world, "mesh/client", method, target, headers)
            name = fields_of(seen)[MARK]
            assert route["route"] == name, (method, target, headers, route)
            names.add(name)
            became = [line.removeprefix("the path becomes ") for line in route["also"] if line.startswith("the path becomes ")]
            if became:
                assert became == [seen["path"] + (f"?{seen['query']}" if seen["query"] else "")]
        # Expressions go after all prefixes, one of which takes whatever this one would.
        assert names == {each["name"] for each in RULES} - {"regex"}
    finally:
        world.delete_routes(NAME)


def test_a_consumers_routes_hold_for_clients_of_its_namespace_alone(world: World) -> None:
    """Where none of them matches the answer is 404, and not what the service's own routes say."""
    lab = world.mesh.lab
    lab.mesh.namespace(SHOP, ambient=True)
    shopper = lab.add_pod(SHOP, "shopper", node="node1", service_account="shopper")
    wait_captured(shopper)
    world.set_routes(NAME, "app", [rule("producer", path("/"))], port=HTTP)
    theirs = http_route(SHOP, NAME, "app", [rule("consumer", path("/mine"))], port=HTTP)
    theirs["spec"]["parentRefs"][0]["namespace"] = "mesh"
    lab.mesh.apply(theirs)

    def status(target: str) -> str:
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10", world.url(target)]
        return shopper.run(command, check=False).stdout

    try:
        wait_until("the consumer's routes", lambda: status("/other") == "404")
        assert fields_of(taken(world, shopper, "GET", "/mine", []))[MARK] == "consumer"
        assert fields_of(taken(world, world.mesh.client, "GET", "/mine", []))[MARK] == "producer"
        assert explained(world, f"{SHOP}/shopper", "GET", "/mine", [])["route"] == "consumer"
        assert explained(world, "mesh/client", "GET", "/mine", [])["route"] == "producer"
        assert explained(world, f"{SHOP}/shopper", "GET", "/other", [])["action"] == "answers 404 itself"
    finally:
        lab.mesh.delete("HTTPRoute", SHOP, NAME)
        world.delete_routes(NAME)
