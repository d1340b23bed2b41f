"""How the demo speaks: steps in plain words, then one table. In colour on a terminal, plain otherwise."""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import dataclass

WIDTH = 110
CLAIM_WIDTH, PROOF_WIDTH = 40, 56


@dataclass(frozen=True)
class Claim:
    """Something the demo says, the observation that shows it, and whether it held."""

    claim: str
    proof: str
    held: bool


class Report:
    """Prints as it goes; `all_held` is true exactly when every claim so far held, and there was one."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._step = 0

    @property
    def all_held(self) -> bool:
        return bool(self.claims) and all(claim.held for claim in self.claims)

    def step(self, text: str) -> None:
        self._step += 1
        print()
        print(self._paint("1;36", f"{self._step}. {text}"), flush=True)

    def say(self, text: str) -> None:
        print(textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   "), flush=True)

    def show(self, text: str) -> None:
        """Output of a program, as it is."""
        for line in text.rstrip().splitlines():
            print(self._paint("2", f"   | {line}"), flush=True)

    def claim(self, claim: str, proof: str, held: bool) -> None:
        self.claims.append(Claim(claim, proof, held))
        mark = self._paint("32", "held") if held else self._paint("1;31", "DID NOT HOLD")
        self.say(f"{claim}: {proof}")
        print(f"   -> {mark}", flush=True)

    def table(self) -> None:
        """All claims, one row each; long texts go on in the next line of their column."""
        rule = "+".join("-" * width for width in (CLAIM_WIDTH + 2, PROOF_WIDTH + 2, 7))
        print()
        print(self._row("claim", "proof", "held?", "1"))
        print(rule)
        for claim in self.claims:
            left, right = textwrap.wrap(claim.claim, CLAIM_WIDTH), textwrap.wrap(claim.proof, PROOF_WIDTH)
            height = max(len(left), len(right))
            verdict = "yes" if claim.held else "NO"
            for index in range(height):
                cells = [column[index] if index < len(column) else "" for column in (left, right)]
                print(self._row(cells[0], cells[1], verdict if index == 0 else "", "32" if claim.held else "1;31"))
        print(rule)
        held = sum(claim.held for claim in self.claims)
        print(f"{held} of {len(self.claims)} held", flush=True)

    def _row(self, left: str, middle: str, right: str, colour: str) -> str:
        return f" {left:<{CLAIM_WIDTH}} | {middle:<{PROOF_WIDTH}} | {self._paint(colour, right)}".rstrip()

    def _paint(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour and text else text
