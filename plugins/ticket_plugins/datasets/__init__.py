"""The data sets that ship with ticket: each plugin is a function of the data folder."""
