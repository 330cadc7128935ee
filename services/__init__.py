"""The daemons of a node, under one supervisor each: Cisco Tftp, Cisco Trust Verification Service, Cisco Tomcat.

What may live here: sockets, TLS, limits and time-outs, and the translation of errors into answers.
What may not: what a certificate means or what a file contains; that is asked of a ``cluster`` snapshot.
"""
