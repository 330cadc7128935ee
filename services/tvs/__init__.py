"""Cisco Trust Verification Service: `session` decides what is answered, `daemon` has the sockets."""
