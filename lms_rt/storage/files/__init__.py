"""Files that every node reaches: streamed in, streamed out, removed. Who may have which file is decided in services."""
