"""Built-in initialisations of masked weights."""
