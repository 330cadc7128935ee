"""Byte formats of the trust machinery: trust lists, signed and encrypted files, TVS, TFTP, phone configuration.

What may live here: frozen dataclasses and pure functions from bytes to values and back.
What may not: sockets, files, clocks, randomness, policy. Nothing here decides whom to trust.
"""
