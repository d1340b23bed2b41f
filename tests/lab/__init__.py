"""The lab: a mesh directory made real with network namespaces.

The demo, the end-to-end tests and the benchmarks build their meshes here and nowhere else.
Import from here: `from tests.lab import Lab, MeshDir, ...`.
"""

from tests.lab.accesslog import AccessLine, parse_access_log
from tests.lab.apps import HttpServer, Iperf3Server
from tests.lab.capture import Capture
from tests.lab.mesh import MeshDir
from tests.lab.metrics import Metrics
from tests.lab.netns import Namespace
from tests.lab.pcap import Packet, read_pcap
from tests.lab.pods import Pod
from tests.lab.process import Process
from tests.lab.shell import LabError, run, wait_until
from tests.lab.topology import Lab, Node
from tests.lab.ztunnel import Ztunnel

__all__ = [
    "AccessLine",
    "Capture",
    "HttpServer",
    "Iperf3Server",
    "Lab",
    "LabError",
    "MeshDir",
    "Metrics",
    "Namespace",
    "Node",
    "Packet",
    "Pod",
    "Process",
    "Ztunnel",
    "parse_access_log",
    "read_pcap",
    "run",
    "wait_until",
]
