"""The networks that ship with ticket: each plugin is a function of image shape and classes."""
