"""Built-in scopes."""
