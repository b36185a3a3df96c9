"""The tab "Frame lab": frames are edited, and what follows is measured."""
