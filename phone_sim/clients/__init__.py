"""The phone's clients: TFTP, HTTP(S), TVS, and the application server behind the directory key.

What may live here: sockets, time-outs and limits of one exchange.
What may not: whom to trust; that is asked of the caller.
"""
