"""Cisco CallManager: the registrar of phones and what the cluster tells them. No call control.

`registrar` decides, without socket or clock, by the rules of `admission` and with the table of `registrations`;
`answers` writes what UCM was seen to write; `exchange` sends it, waits for answers and repeats; `daemon` has the
sockets; `board` lets every process see who is registered.
"""
