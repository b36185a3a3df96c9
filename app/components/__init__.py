"""The parts of the page that gradio has no component for, each with its style and script."""

from app.components.base import update
from app.components.examples import ExamplePicker
from app.components.facts import FactSheet
from app.components.panel import ParameterPanel
from app.components.predictions import Predictions
from app.components.strip import FrameStrip

__all__ = ["ExamplePicker", "FactSheet", "FrameStrip", "ParameterPanel", "Predictions", "update"]
