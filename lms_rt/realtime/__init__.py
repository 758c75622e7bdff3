"""The live core of one process: connections, channels (actors), the hub and the node."""
