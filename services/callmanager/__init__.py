"""Cisco CallManager: the registrar of phones and what the cluster tells them. No call control.

`registrar` decides, without socket or clock; `answers` writes what UCM was seen to answer; `daemon` has the sockets.
"""
