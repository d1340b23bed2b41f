"""Envoy as a waypoint: HBONE in, HTTP between, HBONE out, with listeners inside of it as Istio configures them.

Ours is measured beside it. Also Envoy as a plain reverse proxy.
"""

from __future__ import annotations

from typing import Any

from tests.lab.envoy import HBONE_PORT, Cert, Config, _cluster, _listener, _tls, _typed

_ORIGINATE = "connect_originate"
_MAIN = "main_internal"
# The same for HTTP/2 to the server.
_ORIGINATE_GRPC = "connect_originate_grpc"
_MAIN_GRPC = "main_internal_grpc"


def waypoint(cert: Cert, vip: str, server: str, port: int, grpc_port: int, *, routes: int = 0, log: bool = False) -> Config:
    """CONNECTs for the VIP are connections whose requests go through a tunnel to the server.

    Port 80 leads to the server's `port` by HTTP/1.1, port 81 to its `grpc_port` by HTTP/2.
    """
    terminate = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="terminate",
        codec_type="HTTP2",
        http2_protocol_options={"allow_connect": True},
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        route_config={"virtual_hosts": [_connect_route(f"{vip}:80", _MAIN), _connect_route(f"{vip}:81", _MAIN_GRPC)]},
        http_filters=[_router()],
    )
    transport = {
        "name": "tls",
        "typed_config": _typed(
            "transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context=_tls(cert),
            require_client_certificate=True,
        ),
    }
    return {
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
                },
            }
        ],
        "static_resources": {
            "listeners": [
                _listener(HBONE_PORT, {"name": "hcm", "typed_config": terminate}, transport),
                _internal(_MAIN, {"name": "hcm", "typed_config": _http("app", routes, log)}),
                _internal(_MAIN_GRPC, {"name": "hcm", "typed_config": _http("app-grpc", routes, log)}),
                _internal(_ORIGINATE, {"name": "tcp", "typed_config": _tunnel(f"{server}:{port}")}),
                _internal(_ORIGINATE_GRPC, {"name": "tcp", "typed_config": _tunnel(f"{server}:{grpc_port}")}),
            ],
            "clusters": [
                _inside(_MAIN, _MAIN),
                _inside(_MAIN_GRPC, _MAIN_GRPC),
                _inside("app", _ORIGINATE),
                {**_inside("app-grpc", _ORIGINATE_GRPC), "typed_extension_protocol_options": _http2({})},
                _hbone(cert, server),
            ],
        },
    }


def _tunnel(authority: str) -> Config:
    return _typed(
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="originate",
        cluster="hbone",
        tunneling_config={"hostname": authority},
    )


def reverse_proxy(listen_port: int, server: str, port: int, *, routes: int = 0, log: bool = False) -> Config:
    """Requests in the clear on a port, to the server's `port` in the clear."""
    listener = _listener(listen_port, {"name": "hcm", "typed_config": _http("app", routes, log)}, None)
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster("app", server, port)]}}


def _http(cluster: str, routes: int, log: bool) -> Config:
    table: list[dict[str, Any]] = [
        {"match": {"path_separated_prefix": f"/route-{number}"}, "route": {"cluster": cluster}} for number in range(routes)
    ]
    table.append({"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}})
    access = {
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/null",
        },
    }
    return _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="http",
        codec_type="AUTO",
        normalize_path=True,
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": table}]},
        http_filters=[_router()],
        **({"access_log": [access]} if log else {}),
    )


def _router() -> Config:
    return {"name": "router", "typed_config": _typed("filters.http.router.v3.Router")}


def _connect_route(authority: str, cluster: str) -> Config:
    route = {
        "match": {"connect_matcher": {}},
        "route": {"cluster": cluster, "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    }
    return {"name": authority, "domains": [authority], "routes": [route]}


def _internal(name: str, network_filter: Config) -> Config:
    return {"name": name, "internal_listener": {}, "filter_chains": [{"filters": [network_filter]}]}


def _inside(name: str, listener: str) -> Config:
    """A cluster that is one of the listeners inside."""
    endpoint = {
        "endpoint": {"address": {"envoy_internal_address": {"server_listener_name": listener, "endpoint_id": name}}}
    }
    limits = {kind: 100_000 for kind in ("max_connections", "max_pending_requests", "max_requests")}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _hbone(cert: Cert, server: str) -> Config:
    transport = {
        "name": "tls",
        "typed_config": _typed("transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context=_tls(cert)),
    }
    protocol = _http2({"allow_connect": True})
    return _cluster("hbone", server, HBONE_PORT, transport_socket=transport, typed_extension_protocol_options=protocol)


def _http2(options: Config) -> Config:
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _typed(
            "upstreams.http.v3.HttpProtocolOptions", explicit_http_config={"http2_protocol_options": options}
        )
    }
