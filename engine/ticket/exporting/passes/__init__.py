"""Rewrites of a graph: plain functions, each from a consistent graph to one that computes the same."""
