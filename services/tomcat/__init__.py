"""Cisco Tomcat: the web pages that phones open, over HTTPS 8443 and HTTP 8080, and the certificate management API.

What may live here: pages and interfaces over HTTP, each in a module or package of its own. What may not: what an
operation does; that is `cluster.management`.
"""
