"""From ATen operators to the graph's operations: one function an operator, listed in table.py."""
