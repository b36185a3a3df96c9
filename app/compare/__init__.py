"""The tab "Compare": two methods, models, classes or clips side by side."""
