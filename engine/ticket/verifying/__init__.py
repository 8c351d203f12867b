"""Checks of what a run or a ticket claims: each a function that looks at the files and yields results."""
