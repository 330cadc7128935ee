"""The TFTP side of Cisco Tftp: a source of files, the state of one transfer, and the daemon on UDP.

What may live here: how a file travels to a phone, and who may ask for which name.
What may not: what a file contains; that is asked of a `FileSource`, one call for each request.
"""
