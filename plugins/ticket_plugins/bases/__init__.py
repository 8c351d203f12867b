"""Built-in bases of weights."""
