"""Everything that a recipe or a flag names, as plain functions behind entry points."""
