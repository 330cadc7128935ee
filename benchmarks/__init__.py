"""Measurements: what the daemons reach, beside other programs that do the same work on the same machine.

What may live here: load generators and servers to compare with, on loopback, bounded in count and time.
What may not: anything that the product imports.
"""
