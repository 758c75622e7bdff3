"""Sub-commands of run.py that work on the services, through the control socket, or as a client."""
