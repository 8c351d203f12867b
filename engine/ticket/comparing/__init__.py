"""Comparisons: found and transformed tickets, the dense network and controls, in rows over seeds."""
