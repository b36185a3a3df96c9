"""The tab "Inspect": a clip, a model, the maps, and all that can be taken away."""
