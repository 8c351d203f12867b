"""Transforms: a ticket for one network becomes a ticket for another, or another one for the same."""

from ticket.transforming.given import Given, Transform

__all__ = ["Given", "Transform"]
