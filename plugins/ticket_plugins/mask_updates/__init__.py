"""Built-in mask updates."""
