"""Built-in metrics of a training."""
