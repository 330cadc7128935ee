"""The commands, a module for each family, each with a table `COMMANDS`; `services.commandline.tree` puts them together.

A handler talks to `services.commandline.context.CommandContext` and to `cluster.management`, and to nothing else.
"""
