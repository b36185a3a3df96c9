"""The command line: grammar, flags drawn from the registries, commands, what is printed."""
