"""Envoy as the other end of a tunnel: its configuration as an HBONE client and as an HBONE server.

The tests try it against our programs, the benchmark measures two of them against ours.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.lab.apps import wait_for_port
from tests.lab.pods import Pod
from tests.lab.process import Process
from tests.lab.shell import LabError

if TYPE_CHECKING:
    from tests.lab.topology import Lab

HBONE_PORT = 15008

Config = dict[str, Any]


class Cert(Protocol):
    """Files of one end's identity: certificate chain and key in one, and the roots to verify the other with."""

    @property
    def chain(self) -> Path: ...

    @property
    def roots(self) -> Path: ...


def start_envoy(lab: Lab, pod: Pod, config: Config, name: str, port: int, *, threads: int = 1) -> Process:
    """Runs it in a pod; `port` is one that it listens on when it is ready."""
    program = shutil.which("envoy")
    if program is None:
        raise LabError("the envoy of tests/requirements.txt is not on the PATH")
    path = lab.work_dir / f"{name}.json"
    path.write_text(json.dumps(config))
    options = ["--use-dynamic-base-id", "--concurrency", str(threads), "--log-level", "warning"]
    process = lab.spawn(name, pod, [program, "-c", str(path), *options])
    wait_for_port(pod, port, process)
    return process


def hbone_server(cert: Cert, apps: Mapping[str, int]) -> Config:
    """HBONE in on 15008: a CONNECT for one of these authorities ends here, its bytes go on to the local port."""
    manager = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="hbone",
        codec_type="HTTP2",
        http2_protocol_options={"allow_connect": True},
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        route_config={"virtual_hosts": [_authority(authority, port) for authority, port in apps.items()]},
        http_filters=[{"name": "router", "typed_config": _typed("filters.http.router.v3.Router")}],
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
        "static_resources": {
            "listeners": [_listener(HBONE_PORT, {"name": "hcm", "typed_config": manager}, transport)],
            "clusters": [_cluster(f"app-{port}", "127.0.0.1", port) for port in set(apps.values())],
        }
    }


def hbone_client(cert: Cert, target: str, ports: Mapping[int, int]) -> Config:
    """Plain TCP in on each port, HBONE out to the pod's 15008, with the mapped port of the pod as the authority."""
    transport = {
        "name": "tls",
        "typed_config": _typed("transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context=_tls(cert)),
    }
    protocol = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _typed(
            "upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {"allow_connect": True}},
        )
    }
    cluster = _cluster("pod", target, HBONE_PORT, transport_socket=transport, typed_extension_protocol_options=protocol)
    listeners = [_listener(port, _tunneling(f"{target}:{app_port}"), None) for port, app_port in ports.items()]
    return {"static_resources": {"listeners": listeners, "clusters": [cluster]}}


def _authority(authority: str, port: int) -> Config:
    route = {
        "match": {"connect_matcher": {}},
        "route": {"cluster": f"app-{port}", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    }
    return {"name": authority, "domains": [authority], "routes": [route]}


def _tunneling(authority: str) -> Config:
    config = _typed(
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="tunnel",
        cluster="pod",
        tunneling_config={"hostname": authority},
    )
    return {"name": "tcp", "typed_config": config}


def _tls(cert: Cert) -> Config:
    return {
        "alpn_protocols": ["h2"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [
            {"certificate_chain": {"filename": str(cert.chain)}, "private_key": {"filename": str(cert.chain)}}
        ],
        "validation_context": {"trusted_ca": {"filename": str(cert.roots)}},
    }


def _typed(name: str, **fields: object) -> Config:
    return {"@type": f"type.googleapis.com/envoy.extensions.{name}", **fields}


def _listener(port: int, network_filter: Config, transport: Config | None) -> Config:
    chain: Config = {"filters": [network_filter]}
    if transport:
        chain["transport_socket"] = transport
    return {
        "name": f"port-{port}",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "filter_chains": [chain],
    }


def _cluster(name: str, address: str, port: int, **more: object) -> Config:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}
    # Envoy's own default, 1,024 of each, would refuse what we want to try and to measure.
    limits = {name: 100_000 for name in ("max_connections", "max_pending_requests", "max_requests")}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **more,
    }
