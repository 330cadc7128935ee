"""What an administrator does to a cluster, with the rules of the product: certificates, trust lists, services.

What may live here: operations on a `ClusterStore` that check, change in one transaction, and say what they did.
What may not: how an operation is asked for; command line and REST translate to and from it.
"""
