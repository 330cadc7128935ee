"""Cisco Certificate Authority Proxy Function.

`session` is what is said when, `keys` and `proof` judge what phones give, `daemon` has the sockets.
"""
