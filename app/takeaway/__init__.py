"""What the "Take it away" of all tabs shares: the part of the page, files, links, lines."""
