"""Checks on the sources themselves: layout, layering, tidiness. Run by ./dev lint."""
