"""The tab "Learn": chapters, their figures' data, and the questions they ask."""
