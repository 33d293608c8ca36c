"""What the colours of a matrix mean."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from analyses.drawing.canvas import SMALL, Canvas


def colour_scale(canvas: Canvas, low: float, high: float, name: str) -> None:
    """A vertical scale of the sequential colours right of the last panel, with its name (a catalogue key) above it."""
    box = canvas.axes[0][-1].get_position()
    axes = canvas.figure.add_axes((box.x1 + 0.018, box.y0 + 0.12 * box.height, 0.022, box.height * 0.76))
    axes.imshow(
        np.linspace(0, 1, 64)[:, None],
        aspect="auto",
        origin="lower",
        extent=(0, 1, low, high),
        cmap="report_sequential",
        interpolation="none",
    )
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", length=0, labelsize=SMALL)
    axes.spines[:].set_visible(False)
    axes.text(0, 1.04, canvas.words.rows(name)[0], transform=axes.transAxes, fontsize=SMALL, va="bottom")
