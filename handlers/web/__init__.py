"""The pages: templates and static files, and the handlers that fill the first view."""
