"""Cables, addresses and routes of a lab.

pod eth0 --- pN [node] eth0 --- nN [wire: bridge br0] nM --- eth0 [node] pM --- eth0 pod
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.lab.netns import Namespace, add_veth
from tests.lab.pods import Pod

# Between the nodes. Only inside the lab's namespaces, so it cannot meet anything of the machine.
UNDERLAY_V4 = "172.30.77.{node}"
UNDERLAY_V6 = "fd00:30:77::{node:x}"
# What every pod has as its next hop: the node's end of its cable, on every cable the same.
GATEWAY_V4 = "169.254.77.1"
GATEWAY_V6 = "fe80::1"
WIRE_BRIDGE = "br0"
# No waiting for duplicate-address detection: addresses here are unique by construction.
NO_DAD = {"net/ipv6/conf/default/accept_dad": "0", "net/ipv6/conf/all/accept_dad": "0"}
FORWARDING = {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
# A proxy may send with a pod's address: a node takes packets from any side.
NO_SOURCE_FILTER = {"net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0"}


def node_addresses(number: int) -> tuple[str, str]:
    """IPv4 and IPv6 of the Nth node on the wire."""
    return UNDERLAY_V4.format(node=number), UNDERLAY_V6.format(node=number)


def set_up_wire(wire: Namespace) -> None:
    bridge = f"link add {WIRE_BRIDGE} type bridge mcast_snooping 0"
    wire.ip_batch(["link set lo up", bridge, f"link set {WIRE_BRIDGE} up"])


def connect_node(node: Namespace, wire: Namespace, number: int) -> None:
    """Plugs a node into the wire and lets it forward for its pods."""
    node.set_sysctls({**NO_DAD, **FORWARDING, **NO_SOURCE_FILTER})
    port = f"n{number}"
    add_veth(node, "eth0", wire, port)
    wire.ip_batch([f"link set {port} master {WIRE_BRIDGE}", f"link set {port} up"])
    v4, v6 = node_addresses(number)
    node.ip_batch(
        [
            "link set lo up",
            "link set eth0 up",
            f"addr add {v4}/24 dev eth0",
            f"addr add {v6}/64 dev eth0 nodad",
        ]
    )


def connect_pod(pod: Pod, node: Namespace) -> None:
    """Plugs a pod into its node: single addresses, everything by way of the node."""
    pod.ns.set_sysctls(NO_DAD)
    add_veth(pod.ns, "eth0", node, pod.node_link)
    pod.ns.ip_batch(
        [
            "link set lo up",
            "link set eth0 up",
            *(f"addr add {_host(ip)} dev eth0" + (" nodad" if ":" in ip else "") for ip in pod.ips),
            f"route add {GATEWAY_V4} dev eth0 scope link",
            f"route add default via {GATEWAY_V4} dev eth0",
            f"route add ::/0 via {GATEWAY_V6} dev eth0",
        ]
    )
    node.ip_batch(
        [
            f"link set {pod.node_link} up",
            f"addr add {GATEWAY_V4}/32 dev {pod.node_link}",
            f"addr add {GATEWAY_V6}/64 dev {pod.node_link} nodad",
            *(f"route add {_host(ip)} dev {pod.node_link}" for ip in pod.ips),
        ]
    )


def add_routes(from_node: Namespace, pods: Sequence[Pod], via_number: int) -> None:
    """Lets a node find pods that live on another."""
    v4, v6 = node_addresses(via_number)
    lines = [f"route add {_host(ip)} via {v6 if ':' in ip else v4}" for pod in pods for ip in pod.ips]
    if lines:
        from_node.ip_batch(lines)


def remove_routes(from_node: Namespace, pod: Pod) -> None:
    from_node.ip_batch(f"route del {_host(ip)}" for ip in pod.ips)


def _host(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"
