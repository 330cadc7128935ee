"""Cisco Certificate Authority Proxy Function: `session` decides, `proof` judges certificates, `daemon` has the sockets."""
