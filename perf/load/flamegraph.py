"""Stacks as a flame graph in one SVG file: width is time, below stands the caller, the title of a box has its share."""

from __future__ import annotations

from collections import Counter
from html import escape
from zlib import crc32

WIDTH, ROW, HEAD = 1400, 17, 40
# Narrower boxes could not be seen, and would make the file large.
BOX_MIN = 0.6
LETTER = 6.6
# By what the frame is: the kernel's, the TLS library's, ours.
_COLOURS = {"kernel": (205, 120, 60), "crypto": (90, 150, 90), "own": (70, 120, 200), "other": (150, 150, 150)}


class _Node:
    def __init__(self) -> None:
        self.samples = 0
        self.children: dict[str, _Node] = {}


def draw(stacks: Counter[str], title: str) -> str:
    """The whole document."""
    root = _Node()
    for stack, count in stacks.items():
        node = root
        node.samples += count
        for frame in stack.split(";"):
            node = node.children.setdefault(frame, _Node())
            node.samples += count
    scale = WIDTH / max(root.samples, 1)
    boxes: list[str] = []
    depth = _place(root, 0, 0.0, scale, root.samples, boxes)
    height = HEAD + (depth + 1) * ROW
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="8" y="24" font-size="15" font-family="sans-serif">{escape(title)}</text>',
        f'<g transform="translate(0,{height - ROW}) scale(1,-1)">',
    ]
    return "\n".join([*head, *boxes, "</g>", "</svg>", ""])


def _place(node: _Node, depth: int, x: float, scale: float, total: int, boxes: list[str]) -> int:
    """Draws the children of `node` beside each other; gives the depth that was reached."""
    deepest = depth
    for name, child in sorted(node.children.items()):
        width = child.samples * scale
        if width >= BOX_MIN:
            boxes.append(_box(name, x, depth * ROW, width, child.samples / total))
            deepest = max(deepest, _place(child, depth + 1, x, scale, total, boxes))
        x += width
    return deepest


def _box(name: str, x: float, y: float, width: float, share: float) -> str:
    letters = int(width / LETTER) - 1
    text = escape(name if len(name) <= letters else name[: max(letters - 1, 0)] + "~") if letters > 3 else ""
    label = f'<text transform="scale(1,-1)" x="{x + 3:.1f}" y="{-y - 4}">{text}</text>' if text else ""
    return (f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.2):.1f}" '
            f'height="{ROW - 1}" fill="{_colour(name)}"/>{label}</g>')  # fmt: skip


def _colour(name: str) -> str:
    kind = "other"
    if "aquifer" in name:
        kind = "own"
    elif any(word in name for word in ("EVP_", "aes", "gcm", "ossl", "SSL_", "CRYPTO", "ecp_", "sha")):
        kind = "crypto"
    elif any(word in name for word in ("sys_", "tcp_", "ip_", "skb", "sock", "net", "nf_", "entry_", "irq", "veth", "epoll", "io_")):
        kind = "kernel"
    red, green, blue = _COLOURS[kind]
    # A shade of its own, so that neighbours can be told apart; the same in every run.
    shade = crc32(name.encode()) % 40
    return f"rgb({min(red + shade, 255)},{min(green + shade, 255)},{min(blue + shade, 255)})"
