"""Measurements anyone can repeat; each writes JSON with the machine and versions it ran on."""
