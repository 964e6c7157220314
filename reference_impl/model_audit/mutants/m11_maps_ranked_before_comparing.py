"""Each map is normalised to its own ranks in order, after which all maps are equal.

question: q6
caught_by: test_cascade, test_sanity_verdicts
"""

saliency_sanity_of_maps = saliency_sanity


def saliency_sanity(model, explainer, x, seed=0):
    def normalised(model, x):
        maps = explainer(model, x)
        return maps.abs().flatten(1).sort(dim=1).values.reshape(maps.shape)

    return saliency_sanity_of_maps(model, normalised, x, seed)
