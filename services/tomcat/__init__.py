"""Cisco Tomcat: the web pages that phones open, over HTTPS 8443 and HTTP 8080."""
