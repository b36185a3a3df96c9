"""From raw scores to what a person sees: colours, overlays, figures, films and numbers.

Import the modules by name; importing this package alone loads nothing heavy.
"""
