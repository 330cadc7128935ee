"""What both ends of the wire need and neither owns: the clock, the trace, TLS identities.

What may live here: small injected things without a notion of cluster or phone.
What may not: byte formats (``wire``), decisions of a phone or a cluster.
"""
