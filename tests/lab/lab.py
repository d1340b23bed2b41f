#!/usr/bin/env python3
"""Command line of the lab: bring up a mesh directory, look inside, take it down.

lab.py up DIR          namespaces for every node and pod of the manifests, and a ztunnel on every node
lab.py exec POD -- CMD a program inside a pod (namespace/name) or on a node (name)
lab.py list            the labs that are up
lab.py down            takes it down
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Run as a script, it finds the package it belongs to from the root of the repository.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.lab import record  # noqa: E402
from tests.lab.netns import Namespace  # noqa: E402
from tests.lab.shell import LabError  # noqa: E402
from tests.lab.topology import Lab  # noqa: E402


def main() -> int:
    arguments = _parse()
    if os.geteuid() != 0:
        print("lab.py: namespaces need root", file=sys.stderr)
        return 1
    try:
        return int(arguments.action(arguments))
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1


def up(arguments: argparse.Namespace) -> int:
    lab = Lab.from_directory(arguments.directory)
    lab.up()
    if not arguments.no_ztunnel:
        lab.start_ztunnels(backend=arguments.backend)
    lab.keep()
    print(f"lab {lab.prefix} is up; mesh directory {lab.mesh.path}, logs {lab.log_dir}")
    for key, pod in sorted(lab.pods.items()):
        print(f"  {key:30} on {pod.node:10} {' '.join(pod.ips)}")
    print(f"try: {sys.executable} {sys.argv[0]} exec {next(iter(lab.pods), 'POD')} -- ip addr")
    return 0


def down(arguments: argparse.Namespace) -> int:
    records = record.all_records() if arguments.all else [record.find_record(arguments.prefix)]
    for known in records:
        record.tear_down(known)
        print(f"lab {known.prefix} is down")
    return 0


def show(arguments: argparse.Namespace) -> int:
    for known in record.all_records():
        print(f"{known.prefix}  mesh {known.mesh_dir}  logs {known.work_dir}/logs")
        for name, space in {**known.nodes, **known.pods}.items():
            print(f"  {name:30} {space}")
    return 0


def execute(arguments: argparse.Namespace) -> int:
    known = record.find_record(arguments.prefix)
    if arguments.where in known.pods:
        enter = Namespace(known.pods[arguments.where]).pod_command()
    elif arguments.where in known.nodes:
        enter = Namespace(known.nodes[arguments.where]).enter_command()
    else:
        places = ", ".join([*known.pods, *known.nodes])
        raise LabError(f"{arguments.where} is not in lab {known.prefix}, which has {places}")
    command = [*enter, *arguments.command]
    os.execvp(command[0], command)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lab", dest="prefix", help="which lab, when several are up")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("up", help="bring up a mesh directory")
    verb.add_argument("directory", type=Path)
    verb.add_argument("--backend", choices=["uring", "epoll"], help="force the event loop's backend")
    verb.add_argument("--no-ztunnel", action="store_true", help="only the namespaces and the wires")
    verb.set_defaults(action=up)
    verb = verbs.add_parser("down", help="take a lab down")
    verb.add_argument("--all", action="store_true", help="every lab there is")
    verb.set_defaults(action=down)
    verbs.add_parser("list", help="labs that are up").set_defaults(action=show)
    verb = verbs.add_parser("exec", help="run a program inside a pod or on a node")
    verb.add_argument("where", metavar="POD|NODE")
    verb.add_argument("command", nargs="+", metavar="CMD")
    verb.set_defaults(action=execute)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
