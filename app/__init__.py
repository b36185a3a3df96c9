"""The page in the browser: layout, handlers and the components drawn by our own scripts."""
