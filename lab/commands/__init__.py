"""One module for each command: arguments in, text or JSON out, exit code. The work is done below ``lab``."""
