"""The two branches of a layer, in the order of every array."""

BRANCHES = ("attention", "mlp")
ATTENTION, MLP = 0, 1
