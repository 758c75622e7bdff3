"""Where data rests: the database driver's start, the embedded store, backups."""
