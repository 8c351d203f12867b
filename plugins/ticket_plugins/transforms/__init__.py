"""Built-in transforms, the controls among them."""
