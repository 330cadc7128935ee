"""What people run: the command ``ucmsim``, the demonstration, traces turned into tables and pictures.

What may live here: wiring of clusters and phones, texts for people, exit codes.
What may not: wire formats, trust decisions, cluster semantics.
"""
