"""What a cluster *is*: topology, certificates, trust-list contents, enterprise parameters, devices.

What may live here: durable state, snapshots of it, and pure functions from a snapshot to the contents of a file.
What may not: sockets. The daemons that serve what is decided here live in ``services``.
"""
