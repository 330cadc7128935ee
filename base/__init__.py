"""What both ends of the wire need and neither owns: the clock, the trace, TLS identities, the table of phone models.

What may live here: small injected things, and facts about products that no side makes.
What may not: byte formats (``wire``), decisions of a phone or a cluster.
"""
