"""What arrays are called in signatures."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
