"""Analyses of tickets and of what was trained: masks, signs, distances, signal paths, connectivity."""
