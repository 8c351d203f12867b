"""A package that offers criteria to ticket."""
