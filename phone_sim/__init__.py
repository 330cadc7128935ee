"""A simulated Cisco IP phone. It knows a TFTP address, its MAC and its model; all else comes over a socket.

What may live here: flash, trust decisions, the boot, the phone's clients and screen messages.
What may not: any import of ``cluster`` or ``services``.
"""
