"""Cisco CTIManager: the ports of CTI applications, of which TLS is what matters here. No call control.

What is on the ports, and how long, is in `daemon`.
"""
