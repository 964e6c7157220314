"""The networks of the assignment: a graph network for molecules, and one for drug and protein.

Module names are part of the interface: weights trained in a student's class are loaded into these
classes, and the other way round. A ``state_dict`` holds

- ``MolGNN``: ``target_mean``, ``target_std``; ``atoms.F.weight`` for column F of ``x`` and
  ``bonds.K.weight`` for column K of ``edge_attr``; ``layers.L.*``; ``head.0``, ``head.2``.
- ``GINELayer``: ``eps``; ``mlp.0``, ``mlp.2`` (linear); ``norm``.
- ``DTANet``: ``target_mean``, ``target_std``; ``drug.*`` (a ``MolGNN`` whose head is not used);
  ``protein.0``, ``protein.2``; ``head.0``, ``head.2``.
"""
