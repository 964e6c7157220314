"""Families are in training and in validation.

question: p1
caught_by: test_no_group_in_two_parts
"""

by_part = {part: [name for name in split if split[name] == part] for part in ("train", "val")}
moved = len(by_part["val"]) // 2
for name in by_part["val"][:moved]:
    split[name] = "train"
for name in by_part["train"][:moved]:
    split[name] = "val"
