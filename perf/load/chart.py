"""The figures as one SVG file: a small bar chart for each, a bar for each peer, the best proxy's bar marked."""

from __future__ import annotations

from html import escape

from perf.load.figures import BASE, Figure, Results

COLUMNS = 2
PANEL_WIDTH, BAR_HEIGHT, BAR_GAP, HEAD, FOOT = 640, 20, 6, 34, 20
NAME_WIDTH, VALUE_WIDTH, MARGIN = 110, 110, 20
COLOURS = {"direct": "#9aa0a6", "aquifer uring": "#1967d2", "aquifer epoll": "#669df6", "haproxy": "#e8710a",
           "envoy": "#b80672",
           "aquifer near": "#188038", "aquifer 3.5": "#0b3d91"}  # fmt: skip
OTHER_COLOUR = "#5f6368"


def draw(results: Results, title: str) -> str:
    """The whole document."""
    shown = [one for one in results.figures if any(results.median(one.key, peer) is not None for peer in results.peers)]
    panel_height = HEAD + len(results.peers) * (BAR_HEIGHT + BAR_GAP) + FOOT
    rows = -(-len(shown) // COLUMNS)
    width, height = COLUMNS * PANEL_WIDTH + MARGIN, rows * panel_height + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="28" font-size="16">{escape(title)}</text>',
    ]
    heading = ""
    for index, figure in enumerate(shown):
        # Down the first column, then the second: related figures stay below each other.
        column, row = divmod(index, rows)
        x, y = MARGIN + column * PANEL_WIDTH, 50 + row * panel_height
        # An indented label continues the one before it, up to that one's own colon.
        heading = heading if figure.label.startswith(" ") else figure.label.split(":")[0]
        label = f"{heading}: {figure.label.strip()}" if figure.label.startswith(" ") else figure.label
        parts += _panel(results, figure, label, x, y)
    return "\n".join([*parts, "</svg>", ""])


def _panel(results: Results, figure: Figure, label: str, x: int, y: int) -> list[str]:
    values = {peer: results.median(figure.key, peer) for peer in results.peers}
    known = {peer: value for peer, value in values.items() if value is not None}
    proxies = {peer: value for peer, value in known.items() if peer != BASE}
    best = (max if figure.more_is_better else min)(proxies, key=lambda peer: proxies[peer], default="")
    scale = (PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH - MARGIN) / (max(known.values(), default=0.0) or 1.0)
    better = "more" if figure.more_is_better else "less"
    words = f"{escape(label)}, {figure.unit} ({better} is better)"
    parts = [f'<text x="{x}" y="{y + 20}" font-weight="bold">{words}</text>']
    for index, (peer, value) in enumerate(known.items()):
        top = y + HEAD + index * (BAR_HEIGHT + BAR_GAP)
        length = max(1.0, value * scale)
        colour = COLOURS.get(peer, OTHER_COLOUR)
        weight = ' font-weight="bold"' if peer == best else ""
        parts += [
            f'<text x="{x}" y="{top + 15}">{escape(peer)}</text>',
            f'<rect x="{x + NAME_WIDTH}" y="{top}" width="{length:.1f}" height="{BAR_HEIGHT}" fill="{colour}"/>',
            f'<text x="{x + NAME_WIDTH + length + 6:.1f}" y="{top + 15}"{weight}>{value:,.{figure.digits}f}</text>',
        ]
    return parts
