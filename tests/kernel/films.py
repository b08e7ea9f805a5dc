"""A film that an emulated processor can show beside its other work."""

from pathlib import Path

import av
import numpy as np


def film(path: Path) -> None:
    """Write 320 x 240, five pictures a second, of which no two are alike."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=5, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        rows, columns = np.indices((240, 320))
        for number in range(20):
            picture = np.stack([rows, columns % 256, (rows + columns + 8 * number) % 256], axis=2).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
