"""The command line of a node: UCM's commands, the same over SSH and through ``ucmsim admin`` (R-CLI-1).

`grammar` finds the command that a line means, `interpreter` runs it and turns errors into text, `commands` holds the
commands, `context` is all that they see. What may not live here: what an operation does; that is `cluster.management`.
Only `ssh`, `shell`, `logins`, `hostkey` and `sftp` know SSH.
"""
