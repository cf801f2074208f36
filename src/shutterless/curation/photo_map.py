"""Arrange photos on a plane, so that similar ones are close to each other."""

import numpy as np

from shutterless.curation.label_errors import MIN_RANGE, principal_components
from shutterless.curation.neighbours import Vectors

# t-SNE works on this many principal components.
COMPONENTS = 50
PERPLEXITY = 30.0
# Below, t-SNE has nothing to arrange, and the first two principal components are the map.
MIN_PHOTOS = 10


def arrange(vectors: Vectors) -> Vectors:
    """Return a place for each photo, float32[n, 2], both coordinates within 0 and 1.

    The same photos always get the same places: t-SNE (van der Maaten, Hinton, "Visualizing Data using
    t-SNE", 2008) begins with the principal components instead of random places, on one thread.

    Args:
        vectors: What `center` returned, float32[n, d].
    """
    from sklearn.manifold import TSNE

    if len(vectors) < 2 or np.ptp(vectors, axis=0).max() < MIN_RANGE:
        return np.full((len(vectors), 2), 0.5, np.float32)
    components = principal_components(vectors, COMPONENTS)
    places = np.zeros((len(vectors), 2), np.float32)
    places[:, : components.shape[1]] = components[:, :2]
    if len(vectors) >= MIN_PHOTOS:
        start = (places / max(float(places[:, 0].std()), 1e-12) * 1e-4).astype(np.float32)
        perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
        places = TSNE(perplexity=perplexity, init=start, random_state=0).fit_transform(components)
    low, high = places.min(axis=0), places.max(axis=0)
    result: Vectors = ((places - low) / np.maximum(high - low, 1e-9)).astype(np.float32)
    return result
